// `npm run bench`: what a governed session costs, beside DataFusion without Ambit, in one run. Prints a table and writes
// bench/results.json. Nothing else should run on the machine meanwhile.
//
//   BENCH_REQUESTS   requests of each latency                  default 500
//   BENCH_SOAK       requests of the soak                      default 10000
//   BENCH_SCALE      scale of TPC-H                            default 1
//   BENCH_ROUNDS     rounds of each query in four ways         default 11
//   BENCH_RECORDS    records of the evidence that are appended and verified  default 1000000
//   BENCH_QUERIES    names of queries, with a comma between: these alone in four ways, printed and not written
//   BENCH_ONLY       one measure: assembly, latency, stream, soak, evidence or governing; the others keep their results

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';

import { runTool } from '../tools/process.mjs';
import { root, setup } from '../tools/setup.mjs';

const requests = Number(process.env.BENCH_REQUESTS ?? 500);
const soaked = Number(process.env.BENCH_SOAK ?? 10_000);
const scale = Number(process.env.BENCH_SCALE ?? 1);
const rounds = Number(process.env.BENCH_ROUNDS ?? 11);
const records = Number(process.env.BENCH_RECORDS ?? 1_000_000);
const only = process.env.BENCH_ONLY;
const named = process.env.BENCH_QUERIES?.split(',') ?? null;
const file = join(root, 'bench/results.json');

await runTool(async () => {
  await setup();
  // What they import is built by now.
  const { assembly } = await import('./measure/assembly.mjs');
  const { latency } = await import('./measure/latency.mjs');
  const { stream } = await import('./measure/stream.mjs');
  const { soak } = await import('./measure/soak.mjs');
  const { evidence } = await import('./measure/evidence.mjs');
  const { governing } = await import('./measure/governing.mjs');
  const { prepareRaw } = await import('./peers/raw.mjs');
  const { preparePython } = await import('./peers/python.mjs');
  const { governings, report } = await import('./report.mjs');
  const raw = await prepareRaw();
  const measures = {
    assembly: async () => assembly(requests, await preparePython()),
    latency: () => latency(requests, raw),
    stream: () => stream(raw),
    soak: () => soak(soaked),
    evidence: () => evidence(records),
    governing: () => governing(scale, rounds, raw, null),
  };
  if (named !== null) {
    console.log(governings(await governing(scale, rounds, raw, named)).join('\n'));
    return;
  }
  const results = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
  const machine = {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
    kernel: release(),
  };
  for (const [name, measure] of Object.entries(measures)) {
    if (only !== undefined && only !== name) continue;
    results[name] = await measure();
    // A measure that is repeated alone may run elsewhere than the others did.
    results.machines = { ...results.machines, [name]: machine };
  }
  writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`);
  console.log(report(results));
});
