// `npm run bench`: what a governed session costs, beside DataFusion without Ambit, in one run. Prints a table and writes
// bench/results.json. Nothing else should run on the machine meanwhile.
//
//   BENCH_REQUESTS   requests of each latency                  default 500
//   BENCH_SOAK       requests of the soak                      default 10000

import { writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';

import { runTool } from '../tools/process.mjs';
import { root, setup } from '../tools/setup.mjs';

const requests = Number(process.env.BENCH_REQUESTS ?? 500);
const soaked = Number(process.env.BENCH_SOAK ?? 10_000);

await runTool(async () => {
  await setup();
  // What they import is built by now.
  const { assembly } = await import('./measure/assembly.mjs');
  const { latency } = await import('./measure/latency.mjs');
  const { stream } = await import('./measure/stream.mjs');
  const { soak } = await import('./measure/soak.mjs');
  const { prepareRaw } = await import('./peers/raw.mjs');
  const { preparePython } = await import('./peers/python.mjs');
  const { report } = await import('./report.mjs');
  const raw = await prepareRaw();
  const python = await preparePython();
  const results = {
    machine: { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, memoryBytes: totalmem(), kernel: release() },
    assembly: await assembly(requests, python),
    latency: await latency(requests, raw),
    stream: await stream(raw),
    soak: await soak(soaked),
  };
  writeFileSync(join(root, 'bench/results.json'), `${JSON.stringify(results, null, 2)}\n`);
  console.log(report(results));
});
