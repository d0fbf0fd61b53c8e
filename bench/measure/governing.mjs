// What governing costs a query: TPC-H and questions about the flights in four ways by turns (raw, over hand-written views
// that say what the policies say, governed without policies, governed with them), all in one process.

import { join } from 'node:path';

import { root } from '../../tools/setup.mjs';
import { tables } from '../../tools/tpch.mjs';
import { data, threads } from '../flights.mjs';
import { quantile } from '../quantiles.mjs';
import { flightsStatements } from './statements.mjs';

const { engineBinary, startEngine, templateDigest } = await import('../../packages/engine/dist/index.js');
const { grantOf, loadEnvironment, loadProducts } = await import('../../packages/session/dist/index.js');
const { describe } = await import('../../packages/session/dist/describe.js');

/**
 * @param {number} scale Of TPC-H.
 * @param {number} rounds
 * @param {import('../peers/raw.mjs').Raw} raw
 * @param {readonly string[] | null} named These queries alone.
 */
export async function governing(scale, rounds, raw, named) {
  const tpch = await tables(scale);
  const engine = await startEngine({
    binary: engineBinary(),
    isolation: 'shared',
    workers: 1,
    threads,
    memoryBytes: 2 ** 28,
    spillBytes: 0,
    roots: [],
    endpoints: [],
    log: () => {},
  });
  try {
    const trade = await productOf(engine, 'examples/tpch/tpch.yaml', tpch);
    const flights = await productOf(engine, 'examples/flights/flights.yaml', data);
    const queries = Object.entries(trade.boundary.queries).map(
      ([name, { sql }]) => /** @type {[string, string]} */ ([name, sql]),
    );
    const asked = (/** @type {[string, string][]} */ all) =>
      all.filter(([name]) => named === null || named.includes(name));
    const reporting = { until: { type: 'date', value: '1997-01-01' } };
    const research = { released_until: { type: 'timestamp', value: '2001-05-01T00:00:00' } };
    console.error(`bench: ${queries.length} queries of TPC-H at scale ${scale} in four ways`);
    const trades = await compare(
      raw,
      trade,
      { wide: analyst, narrow: partner, claims: reporting },
      asked(queries),
      rounds,
    );
    console.error(`bench: ${flightsStatements.length} questions about the flights in four ways`);
    const flown = await compare(
      raw,
      flights,
      { wide: auditor, narrow: researcher, claims: research },
      asked(flightsStatements),
      rounds,
    );
    return { scale, rounds, tpch: trades, flights: flown };
  } finally {
    await engine.close();
  }
}

async function productOf(/** @type {any} */ engine, /** @type {string} */ file, /** @type {string} */ folder) {
  const environment = await loadEnvironment(null);
  const bound = { ...environment, value: { ...environment.value, stores: { lake: { root: folder } } } };
  const [product] = await loadProducts([join(root, file)], bound, engine);
  if (product === undefined) throw new Error(`${file} has no product`);
  return product;
}

const subject = {
  principal: 'bench',
  kind: 'user',
  claims: {},
  channel: 'http',
  onBehalfOf: null,
  authentication: { method: 'api-key', reference: 'bench' },
};
const analyst = { purpose: 'benchmark', subject: { ...subject, tenant: 'trade', roles: ['analyst'] } };
const partner = { purpose: 'reporting', subject: { ...subject, tenant: 'trade', roles: ['partner'] } };
const auditor = { purpose: 'safety-audit', subject: { ...subject, tenant: 'mobility', roles: ['auditor'] } };
const researcher = { purpose: 'research', subject: { ...subject, tenant: 'mobility', roles: ['researcher'] } };

async function compare(
  /** @type {import('../peers/raw.mjs').Raw} */ raw,
  /** @type {any} */ product,
  /** @type {any} */ { wide, narrow, claims },
  /** @type {[string, string][]} */ statements,
  /** @type {number} */ rounds,
) {
  const none = new Set();
  const open = describe(product, grantOf(product, wide.subject, wide.purpose), none);
  const narrowed = describe(product, grantOf(product, narrow.subject, narrow.purpose), none);
  const parquet = Object.entries(narrowed.sources).filter(([, { format }]) => format.type === 'parquet');
  const rootOf = (/** @type {string} */ name) => {
    const store = narrowed.stores[name];
    if (store?.kind !== 'local') throw new Error(`store ${name} is no folder`);
    return store.root;
  };
  const files = Object.fromEntries(parquet.map(([name, { store, path }]) => [name, join(rootOf(store), path)]));
  const tableOf = (/** @type {string} */ name) => {
    const table = narrowed.tables[name];
    if (table === undefined) throw new Error(`table ${name} is not granted`);
    return table;
  };
  const views = Object.fromEntries(parquet.map(([name]) => [name, viewOf(tableOf(name), name, claims)]));
  // A question for a column that somebody is denied is one for nobody to compare.
  const denied = parquet.flatMap(([name, { columns }]) => {
    const shown = new Set(tableOf(name).columns.map(({ name: column }) => column));
    return columns.map(({ name: column }) => column).filter((column) => !shown.has(column));
  });
  const measured = await raw.governing({
    tables: files,
    views,
    open: { digest: templateDigest(open), template: JSON.stringify(open) },
    narrow: { digest: templateDigest(narrowed), template: JSON.stringify(narrowed) },
    claims,
    statements: Object.fromEntries(statements.filter(([, sql]) => !denied.some((column) => sql.includes(column)))),
    rounds,
    threads,
  });
  const queries = measured.map(summary);
  return { queries, ratios: ratios(queries) };
}

/** What somebody would write by hand instead of the policies. */
function viewOf(
  /** @type {import('../../packages/engine/dist/index.js').SessionTemplate['tables'][string]} */ table,
  /** @type {string} */ name,
  /** @type {any} */ claims,
) {
  const columns = table.columns.map(({ name: column, masks }) => {
    const masked = masks.reduce((sql, { sql: mask }) => mask.replaceAll(/\bvalue\b/g, sql), `"${column}"`);
    return masks.length === 0 ? masked : `${masked} AS "${column}"`;
  });
  const filters = table.filters.map(({ sql }) =>
    sql.replaceAll(
      /\$claims\.(\w+)/g,
      (_, /** @type {string} */ claim) => `${claims[claim].type} '${claims[claim].value}'`,
    ),
  );
  const where = filters.length === 0 ? '' : ` WHERE ${filters.map((sql) => `(${sql})`).join(' AND ')}`;
  return `SELECT ${columns.join(', ')} FROM raw.${name}${where}`;
}

/**
 * Medians of the rounds, in milliseconds; and medians of what each round took beside its neighbour, in processor time: two
 * neighbours have the same machine, however busy it is.
 */
function summary(/** @type {any} */ { name, rows, narrowRows, ...times }) {
  const beside = (/** @type {number[]} */ of, /** @type {number[]} */ to) =>
    quantile(
      of.map((value, round) => value / (to[round] ?? Number.NaN)),
      0.5,
    );
  const medians = Object.entries(times).map(([way, values]) => [way, Math.round(quantile(values, 0.5)) / 1_000]);
  return {
    name,
    rows,
    narrowRows,
    ...Object.fromEntries(medians),
    openWork: beside(times.openCpu, times.rawCpu),
    narrowWork: beside(times.narrowCpu, times.viewCpu),
  };
}

function ratios(/** @type {any[]} */ queries) {
  return {
    open: mean(queries, ({ open, raw }) => open / raw),
    narrow: mean(queries, ({ narrow, view }) => narrow / view),
    openPlan: mean(queries, ({ openPlan, rawPlan }) => openPlan / rawPlan),
    narrowPlan: mean(queries, ({ narrowPlan, viewPlan }) => narrowPlan / viewPlan),
    openWork: mean(queries, ({ openWork }) => openWork),
    narrowWork: mean(queries, ({ narrowWork }) => narrowWork),
  };
}

/** Geometric mean, and the query that is worst. */
function mean(/** @type {any[]} */ queries, /** @type {(query: any) => number} */ of) {
  const each = queries.map((query) => ({ name: query.name, value: of(query) }));
  const worst = each.toSorted((a, b) => b.value - a.value)[0];
  return { mean: Math.exp(each.reduce((sum, { value }) => sum + Math.log(value), 0) / each.length), worst };
}
