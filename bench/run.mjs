// `npm run bench`: what a governed session costs, beside raw DataFusion in one run. Prints a table and writes
// bench/results.json. Raw DataFusion is the Python package `datafusion` 55 where it is installed; without it those cells
// stay empty.

import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));
const { engineBinary, startEngine } = await import('../packages/engine/dist/index.js');
const { createKey } = await import('../packages/server/dist/index.js');
const data = join(root, 'node_modules/vega-datasets/data');
const flights = join(data, 'flights-3m.parquet');

const small = Number(process.env.BENCH_REQUESTS ?? 300);
const soak = Number(process.env.BENCH_SOAK ?? 10_000);

function quantile(values, share) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

/** Assembling a session in a worker with a warm template, by number of tables in the boundary. */
async function assembly() {
  const log = () => {};
  const engine = await startEngine({
    binary: engineBinary(),
    isolation: 'shared',
    workers: 1,
    threads: 2,
    memoryBytes: 2 ** 30,
    spillBytes: 0,
    roots: [data],
    log,
  });
  const { settings } = await engine.catalog();
  const result = {};
  for (const tables of [1, 10, 100, 1_000]) {
    const names = Array.from({ length: tables }, (_, index) => `t${index}`);
    const columns = ['date', 'delay', 'distance', 'origin', 'destination'].map((name) => ({
      name,
      type: name === 'date' ? 'timestamp' : name.startsWith('d') && name !== 'destination' ? 'bigint' : 'string',
      nullable: true,
    }));
    const source = { store: 'lake', path: 'flights-3m.parquet', format: { type: 'parquet' }, columns };
    const template = {
      boundary: `sha256:bench-${tables}`,
      stores: { lake: { kind: 'local', root: data, credential: null } },
      sources: Object.fromEntries(names.map((name) => [name, source])),
      tables: Object.fromEntries(
        names.map((name) => [
          name,
          { source: name, columns: columns.map(({ name: column }) => ({ name: column, masks: [] })), filters: [] },
        ]),
      ),
      views: {},
      functions: ['count', 'avg', 'sum', 'min', 'max', 'date_trunc'],
      settings: Object.fromEntries(settings.map(({ key, ambit, default: fallback }) => [key, ambit ?? fallback])),
      claims: {},
    };
    const micros = [];
    for (let request = 0; request < small; request += 1) {
      const session = await engine.open(template, {
        session: `ses_${request}`,
        tenant: 'bench',
        purpose: 'bench',
        claims: {},
        clockMicros: Date.now() * 1_000,
        limits: {
          deadlineMs: 10_000,
          memoryBytes: 2 ** 28,
          spillBytes: 0,
          rows: 10,
          bytes: 2 ** 20,
          statementBytes: 2 ** 16,
          statementNodes: 100,
          statementDepth: 100,
          planNodes: 100,
        },
        statement: { sql: 'SELECT 1', parameters: {} },
        format: 'json',
        traceparent: null,
      });
      for await (const event of session.events)
        if (event.kind === 'outcome') micros.push(event.outcome.timings.assembleMicros);
    }
    result[tables] = { p50: quantile(micros, 0.5), p99: quantile(micros, 0.99) };
  }
  await engine.close();
  return result;
}

async function startServer() {
  const folder = mkdtempSync(join(tmpdir(), 'ambit-bench-'));
  writeFileSync(
    join(folder, 'environment.yaml'),
    `apiVersion: ambit/v1\nkind: Environment\nname: test\nstores: { lake: { root: ${data} } }\nlimits: {}\n`,
  );
  const key = {
    tenant: 'mobility',
    principal: 'vera',
    kind: 'user',
    roles: ['auditor'],
    claims: {},
    onBehalfOf: null,
    expires: null,
  };
  const { token } = await createKey(join(folder, '.ambit/keys.json'), key);
  const words = [
    join(root, 'packages/cli/bin/ambit.js'),
    'serve',
    join(root, 'examples/flights'),
    '--environment',
    join(folder, 'environment.yaml'),
    '--listen',
    '127.0.0.1:0',
  ];
  const child = spawn(process.execPath, words, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  const url = await new Promise((resolve) => {
    createInterface({ input: child.stderr }).on(
      'line',
      (line) => line.startsWith('listening on ') && resolve(line.slice(13)),
    );
  });
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    'ambit-purpose': 'safety-audit',
  };
  return {
    child,
    ask: (sql, accept = 'application/json') =>
      fetch(`${url}/v1/products/flights/query`, {
        method: 'POST',
        headers: { ...headers, accept },
        body: JSON.stringify({ sql }),
      }),
    evidence: async (session) => (await fetch(`${url}/v1/sessions/${session}`, { headers })).json(),
    sessions: async () => (await (await fetch(`${url}/v1/sessions`, { headers })).json()).sessions,
    close: async () => {
      child.kill('SIGTERM');
      await new Promise((resolve) => child.once('exit', resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const point = "SELECT date, delay FROM flights WHERE origin = 'LAX' AND destination = 'HDN' LIMIT 1";
const aggregate = 'SELECT origin, count(*) AS n, avg(delay) AS d FROM sample_flights GROUP BY origin';

async function latency(server, sql) {
  const micros = [];
  let last;
  for (let request = 0; request < small; request += 1) {
    const started = process.hrtime.bigint();
    const answer = await server.ask(sql);
    await answer.arrayBuffer();
    if (!answer.ok) throw new Error(`${answer.status}`);
    micros.push(Number((process.hrtime.bigint() - started) / 1_000n));
    last = answer.headers.get('ambit-session');
  }
  const { outcome } = await server.evidence(last);
  return {
    p50: quantile(micros, 0.5),
    p99: quantile(micros, 0.99),
    steps: { ...outcome.steps, ...outcome.engine.timings },
  };
}

async function stream(server) {
  const rates = [];
  for (let turn = 0; turn < 5; turn += 1) {
    const started = process.hrtime.bigint();
    const answer = await server.ask('SELECT date, delay, distance FROM flights', 'application/vnd.apache.arrow.stream');
    let bytes = 0;
    for await (const chunk of answer.body) bytes += chunk.length;
    rates.push(bytes / (Number(process.hrtime.bigint() - started) / 1e9) / 1e6);
  }
  return { megabytesPerSecond: Math.round(quantile(rates, 0.5)) };
}

/** Many requests from 32 clients: what is left, and what failed. */
async function residue(server) {
  const { readFileSync } = await import('node:fs');
  const resident = () => Number(readFileSync(`/proc/${server.child.pid}/statm`, 'utf8').split(' ')[1]) * 4096;
  const run = async (requests) => {
    let next = 0;
    let failed = 0;
    const client = async () => {
      while (next < requests) {
        next += 1;
        const answer = await server.ask('SELECT count(*) AS n FROM airports').catch(() => undefined);
        if (answer?.ok !== true) failed += 1;
        await answer?.arrayBuffer().catch(() => undefined);
      }
    };
    await Promise.all(Array.from({ length: 32 }, client));
    return failed;
  };
  await run(Math.min(soak, 1_000));
  const before = resident();
  const started = Date.now();
  const failed = await run(soak);
  const seconds = (Date.now() - started) / 1_000;
  const open = (await server.sessions()).filter(({ status }) => status === 'running');
  return {
    requests: soak,
    failed,
    perSecond: Math.round(soak / seconds),
    openSessions: open.length,
    controlPlaneGrowthMiB: Math.round((resident() - before) / 2 ** 20),
  };
}

const raw = `
import json, statistics, time
try:
    from datafusion import SessionContext
except ImportError:
    print(json.dumps(None)); raise SystemExit
flights, sample, requests = ${JSON.stringify(flights)}, ${JSON.stringify(join(data, 'flights-20k.json'))}, ${small}
def timed(work):
    times = []
    for _ in range(requests):
        start = time.perf_counter(); work(); times.append((time.perf_counter() - start) * 1e6)
    return {"p50": round(statistics.median(times)), "p99": round(sorted(times)[int(len(times) * 0.99)])}
def context():
    c = SessionContext(); c.register_parquet("flights", flights)
c = SessionContext(); c.register_parquet("flights", flights)
point = timed(lambda: c.sql(${JSON.stringify(point)}).collect())
rates = []
for _ in range(5):
    start = time.perf_counter(); size = 0
    for batch in c.sql("SELECT date, delay, distance FROM flights").execute_stream():
        size += batch.to_pyarrow().nbytes if hasattr(batch, "to_pyarrow") else 0
    rates.append(size / (time.perf_counter() - start) / 1e6)
print(json.dumps({"context": timed(context), "point": point, "stream": {"megabytesPerSecond": round(statistics.median(rates))}}))
`;

function rawDataFusion() {
  const { status, stdout } = spawnSync(process.env.BENCH_PYTHON ?? 'python3', ['-c', raw], { encoding: 'utf8' });
  return status === 0 ? JSON.parse(stdout) : null;
}

const results = { assembly: await assembly() };
const server = await startServer();
try {
  results.point = await latency(server, point);
  results.aggregate = await latency(server, aggregate);
  results.stream = await stream(server);
  results.soak = await residue(server);
} finally {
  await server.close();
}
results.raw = rawDataFusion();
writeFileSync(join(root, 'bench/results.json'), `${JSON.stringify(results, null, 2)}\n`);

const line = (name, ambit, beside) =>
  console.log(`${name.padEnd(44)} ${String(ambit).padStart(22)} ${String(beside ?? '').padStart(22)}`);
line('', 'Ambit', 'raw DataFusion (Python)');
for (const [tables, { p50, p99 }] of Object.entries(results.assembly)) {
  line(
    `assembling a session, ${tables} tables, p50/p99 µs`,
    `${p50} / ${p99}`,
    tables === '1' && results.raw ? `${results.raw.context.p50} / ${results.raw.context.p99}` : '',
  );
}
line(
  'point query over HTTP, p50/p99 µs',
  `${results.point.p50} / ${results.point.p99}`,
  results.raw ? `${results.raw.point.p50} / ${results.raw.point.p99}` : '',
);
line('small aggregate over HTTP, p50/p99 µs', `${results.aggregate.p50} / ${results.aggregate.p99}`);
line('full table as Arrow over HTTP, MB/s', results.stream.megabytesPerSecond, results.raw?.stream.megabytesPerSecond);
line(`${results.soak.requests} requests, 32 clients, per second`, results.soak.perSecond);
line(
  '  failed / sessions left / growth MiB',
  `${results.soak.failed} / ${results.soak.openSessions} / ${results.soak.controlPlaneGrowthMiB}`,
);
console.log('steps of the point query, µs:', JSON.stringify(results.point.steps));
