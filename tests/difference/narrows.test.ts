import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { difference } from '@ambit/contract';
import { type Engine, engineBinary, startEngine } from '@ambit/engine';
import { type EvidenceLog, openLog } from '@ambit/evidence';
import { authorize, type Subject, withPolicies } from '@ambit/policy';
import {
  type BoundEnvironment,
  ContractsInvalid,
  loadEnvironment,
  loadProducts,
  Path,
  type Product,
  Served,
} from '@ambit/session';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { implicationOf } from '../../packages/cli/src/diff/compare.ts';
import { slips } from './slips.ts';
import { cedarOf, contractOf, type Draft, pairs, PURPOSES, rows, VIEWS } from './product.ts';

// A difference that only narrows never shows anybody more: both boundaries are run on the engine, for every subject, and
// what they show is compared.

const folder = mkdtempSync(join(tmpdir(), 'ambit-difference-'));
let engine: Engine;
let log: EvidenceLog;
let environment: BoundEnvironment;

beforeAll(async () => {
  for (const side of ['before', 'after']) mkdirSync(join(folder, side));
  writeFileSync(
    join(folder, 't.csv'),
    `id,a,b,c\n${rows.map(({ id, a, b, c }) => `${id},${a},${b},${c}`).join('\n')}\n`,
  );
  const keys = Array.from({ length: 5 }, (_, k) => `${k},${k % 2 === 0}`);
  writeFileSync(join(folder, 'u.csv'), `k,flag\n${keys.join('\n')}\n`);
  writeFileSync(
    join(folder, 'environment.yaml'),
    'apiVersion: ambit/v1\nkind: Environment\nname: test\nstores: { lake: { root: . } }\n',
  );
  environment = await loadEnvironment(join(folder, 'environment.yaml'));
  engine = await startEngine({
    binary: engineBinary(),
    isolation: 'shared',
    workers: 1,
    threads: 1,
    memoryBytes: 2 ** 28,
    spillBytes: 0,
    roots: [folder],
    endpoints: [],
    log: () => {},
  });
  log = await openLog({ folder: join(folder, 'evidence'), ambit: '0.1.0' });
});

afterAll(async () => {
  await log.close();
  await engine.close();
  rmSync(folder, { recursive: true });
});

/** Null: it is no contract. */
async function load(draft: Draft, side: string): Promise<Product | null> {
  const contract = contractOf(draft);
  writeFileSync(join(folder, side, 'things.yaml'), contract);
  writeFileSync(join(folder, side, 'things.cedar'), cedarOf(draft, contract));
  try {
    const [product] = await loadProducts([join(folder, side, 'things.yaml')], environment, engine);
    return product ?? null;
  } catch (error) {
    if (error instanceof ContractsInvalid) return null;
    throw error;
  }
}

const LEVELS = [3, 12, null];

const subjects: readonly Subject[] = [
  ...LEVELS.flatMap((level) =>
    [['operator'], ['auditor'], ['auditor', 'operator'], []].map((roles) => subject(roles, level)),
  ),
  { ...subject([], null), kind: 'anonymous', authentication: { method: 'anonymous', reference: '' } },
];

function subject(roles: readonly string[], level: number | null): Subject {
  return {
    tenant: 'mobility',
    principal: 'maria',
    kind: 'user',
    roles,
    claims: level === null ? {} : { level },
    channel: 'http',
    onBehalfOf: null,
    authentication: { method: 'api-key', reference: 'key' },
  };
}

const QUERIES = [
  ...['a', 'b', 'c'].map((column) => `SELECT id, ${column} FROM t`),
  'SELECT * FROM t',
  'SELECT * FROM u',
  'SELECT upper(b) AS b FROM t',
  'SELECT sum(a) AS a FROM t WHERE a > 3',
  ...Object.keys(VIEWS).map((view) => `SELECT * FROM ${view}`),
];

type Shown = readonly Readonly<Record<string, unknown>>[];

/** What a subject gets; null: a refusal or a failure, which shows nothing. */
async function ask(product: Product, by: Subject, purpose: string, sql: string): Promise<Shown | null> {
  const path = new Path(new Served({ products: [product], engine }), log);
  try {
    const { body } = await path.run({
      id: 'req',
      subject: by,
      product: 'things',
      purpose,
      ask: { sql },
      parameters: {},
      parametersFrom: 'json',
      format: 'ndjson',
      traceparent: null,
      signal: new AbortController().signal,
    });
    const parts: Uint8Array[] = [];
    for await (const part of body) parts.push(part);
    const lines = Buffer.concat(parts)
      .toString()
      .split('\n')
      .filter((line) => line !== '');
    return lines.map((line) => JSON.parse(line));
  } catch (error) {
    if (['Refused', 'SessionFailed'].includes((error as Error).name)) return null;
    throw error;
  }
}

/** What `after` shows and `before` does not, or null. Values may be others, where each follows from what was shown. */
function more(before: Shown | null, after: Shown | null, sql: string): string | null {
  if (after === null) return null;
  if (before === null) return `${sql}: an answer`;
  if (!sql.startsWith('SELECT id') && sql !== 'SELECT * FROM t') return null;
  const known = new Map(before.map((row) => [row['id'], row]));
  const seen = new Map<string, string>();
  for (const row of after) {
    const old = known.get(row['id']);
    if (old === undefined) return `${sql}: row ${String(row['id'])}`;
    for (const [column, value] of Object.entries(row)) {
      if (!Object.hasOwn(old, column)) return `${sql}: column ${column}`;
      const was = `${column} ${JSON.stringify(old[column])}`;
      const is = JSON.stringify(value);
      if ((seen.get(was) ?? is) !== is) return `${sql}: ${column} tells rows apart that it did not`;
      seen.set(was, is);
    }
  }
  return null;
}

async function shownMore(before: Product, after: Product): Promise<string | null> {
  const asked = new Set<string>();
  for (const by of subjects) {
    for (const purpose of PURPOSES) {
      // Who has the same grants and claims gets the same answers.
      const grants = [before, after].map((product) => authorize(product.policies, by, purpose));
      const key = JSON.stringify([...grants.map((one) => one.allowed && one.grant.digest), by.claims]);
      if (asked.has(key)) continue;
      asked.add(key);
      for (const sql of QUERIES) {
        // What shows nothing shows no more.
        const now = await ask(after, by, purpose, sql);
        if (now === null) continue;
        const found = more(await ask(before, by, purpose, sql), now, sql);
        if (found !== null) return `${by.roles.join()} ${JSON.stringify(by.claims)} for ${purpose}: ${found}`;
      }
    }
  }
  return null;
}

describe('what looks like less and shows somebody more', () => {
  it.each(slips)('%s', async (_, draft, next) => {
    const [before, after] = [await load(draft, 'before'), await load(next, 'after')];
    if (before === null || after === null) throw new Error('it is no contract');
    // It does show more, so that whoever calls it narrower would be wrong.
    expect(await shownMore(before, after)).not.toBeNull();
    const { effect } = await difference(before.boundary, after.boundary, withPolicies(implicationOf(engine)));
    expect(effect).toBe('widens');
  });
});

describe('a difference that only narrows', () => {
  it('shows nobody more, whoever asks for whatever', async () => {
    let narrowed = 0;
    let widened = 0;
    const kinds = new Set<string>();
    await fc.assert(
      fc.asyncProperty(pairs, async ([draft, next]) => {
        const [before, after] = [await load(draft, 'before'), await load(next, 'after')];
        fc.pre(before !== null && after !== null && before.fingerprint !== after.fingerprint);
        const found = await difference(before.boundary, after.boundary, withPolicies(implicationOf(engine)));
        expect(found.lines.length).toBeGreaterThan(0);
        if (found.effect !== 'narrows') {
          widened += 1;
          return;
        }
        narrowed += 1;
        for (const { path } of found.lines) kinds.add(path.split('/')[1] ?? '');
        const shown = await shownMore(before, after);
        expect(shown, JSON.stringify(found.lines, null, 1)).toBeNull();
      }),
      { numRuns: Number(process.env['AMBIT_TEST_RUNS'] ?? 60) },
    );
    // A property of what narrows says nothing if nothing does.
    expect(narrowed).toBeGreaterThan(10);
    expect(widened).toBeGreaterThan(10);
    expect(kinds.size).toBeGreaterThan(2);
  }, 600_000);
});
