// Assembling a session in a worker with a warm template, by tables in the boundary; beside it, a new Python
// `SessionContext` with the same tables registered.

import { latencyOf } from '../quantiles.mjs';
import { data, flights, threads } from '../flights.mjs';

const { engineBinary, startEngine } = await import('../../packages/engine/dist/index.js');

const sizes = [1, 10, 100, 1_000];

/**
 * @param {number} requests
 * @param {import('../peers/python.mjs').Python} python
 */
export async function assembly(requests, python) {
  const engine = await startEngine({
    binary: engineBinary(),
    isolation: 'shared',
    workers: 1,
    threads,
    memoryBytes: 2 ** 30,
    spillBytes: 0,
    roots: [data],
    endpoints: [],
    log: () => {},
  });
  try {
    const results = [];
    for (const tables of sizes) {
      console.error(`bench: assembling a session of ${tables} tables`);
      const template = templateOf(tables, (await engine.catalog()).settings);
      // The first puts the template.
      await assemble(engine, template, 0);
      const micros = [];
      for (let request = 1; request <= requests; request += 1) micros.push(await assemble(engine, template, request));
      // Registering a thousand tables takes the better part of a second.
      const peer = await python.contexts(flights, tables, Math.max(5, Math.min(requests, 2_000 / tables)));
      results.push({ tables, ambit: latencyOf(micros), python: latencyOf(peer) });
    }
    return results;
  } finally {
    await engine.close();
  }
}

/** What the worker says it took, in microseconds. */
async function assemble(/** @type {any} */ engine, /** @type {any} */ template, /** @type {number} */ request) {
  const session = await engine.open(template, {
    session: `ses_${request}`,
    tenant: 'bench',
    purpose: 'bench',
    claims: {},
    clockMicros: Date.now() * 1_000,
    credentials: {},
    limits,
    statement: { sql: 'SELECT 1', parameters: {} },
    format: 'json',
    traceparent: null,
  });
  let assembled = Number.NaN;
  for await (const event of session.events) {
    if (event.kind === 'outcome') assembled = event.outcome.timings.assembleMicros;
  }
  return assembled;
}

const limits = {
  deadlineMs: 10_000,
  memoryBytes: 2 ** 28,
  spillBytes: 0,
  rows: 10,
  bytes: 2 ** 20,
  statementBytes: 2 ** 16,
  statementNodes: 100,
  statementDepth: 100,
  planNodes: 100,
};

const columns = [
  { name: 'date', type: 'timestamp' },
  { name: 'delay', type: 'bigint' },
  { name: 'distance', type: 'bigint' },
  { name: 'origin', type: 'string' },
  { name: 'destination', type: 'string' },
];

/**
 * A boundary of so many tables, each with a filter by claim's side and a mask, as contracts have them.
 *
 * @returns {import('../../packages/engine/dist/index.js').SessionTemplate}
 */
function templateOf(/** @type {number} */ tables, /** @type {any[]} */ settings) {
  const names = Array.from({ length: tables }, (_, index) => `t${index}`);
  /** @type {import('../../packages/engine/dist/index.js').SessionTemplate['sources'][string]} */
  const source = {
    store: 'lake',
    path: 'flights-3m.parquet',
    format: { type: 'parquet' },
    columns: columns.map((column) => ({ ...column, nullable: true })),
    partitions: [],
  };
  const shown = columns.map(({ name }) => ({
    name,
    masks: name === 'date' ? [{ id: 'day-only', sql: "date_trunc('day', value)" }] : [],
  }));
  const table = (/** @type {string} */ name) => ({
    source: name,
    columns: shown,
    filters: [{ id: 'released', sql: "date < TIMESTAMP '2001-03-01'" }],
    closed: false,
    statistics: true,
  });
  return {
    boundary: `sha256:bench-${tables}`,
    stores: { lake: { kind: 'local', root: data } },
    sources: Object.fromEntries(names.map((name) => [name, source])),
    tables: Object.fromEntries(names.map((name) => [name, table(name)])),
    views: {},
    functions: ['count', 'avg', 'sum', 'min', 'max', 'date_trunc'],
    settings: Object.fromEntries(settings.map(({ key, ambit, default: fallback }) => [key, ambit ?? fallback])),
    claims: {},
  };
}
