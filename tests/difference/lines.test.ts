import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Boundary,
  type BoundaryRule,
  canonicalize,
  difference,
  emitSchemas,
  fingerprint,
  type Measure,
  textualImplication,
} from '@ambit/contract';
import type { Engine } from '@ambit/engine';
import { withPolicies } from '@ambit/policy';
import { loadEnvironment, loadProducts } from '@ambit/session';
import { Ajv } from 'ajv';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { boundaries, policySets } from '../../packages/policy/test/arbitraries.ts';
import { render } from '../../packages/policy/test/oracle.ts';
import { checkingEngine } from '../contracts/engine.ts';
import { root } from '../server.ts';

// Nothing differs without a line, whatever it is; and where nothing does, there is none.

const folder = mkdtempSync(join(tmpdir(), 'ambit-lines-'));
let engine: Engine;
let flights: Boundary;

beforeAll(async () => {
  engine = await checkingEngine();
  const environment = await loadEnvironment(join(root, 'examples/flights/environments/development.yaml'));
  const [product] = await loadProducts([join(root, 'examples/flights/flights.yaml')], environment, engine);
  if (product === undefined) throw new Error('nothing was loaded');
  const table = product.boundary.tables['flights'];
  if (table === undefined) throw new Error('there are no flights');
  // What the example has none of.
  flights = {
    ...product.boundary,
    quality: {
      ...product.boundary.quality,
      airports: {
        'iata.form': rule({ metric: 'invalidValues', values: ['SFO', 'JFK'], pattern: '^[A-Z]+$' }, 'iata', 'close'),
        unique: rule({ metric: 'duplicateValues', columns: ['iata', 'state'] }, null, 'report'),
        known: rule({ sql: 'SELECT 1', reads: { tables: {}, views: [], functions: [] } }, null, 'close'),
      },
    },
    anonymous: { purposes: ['research'], claims: { state: 'CA' } },
    issuers: {
      'https://id': {
        audience: 'ambit',
        jwks: 'jwks.json',
        algorithms: ['ES256', 'EdDSA'],
        tenant: 'mobility',
        type: null,
        principal: 'sub',
        roles: 'roles',
        kind: 'kind',
        claims: { state: 'home_state' },
      },
    },
    lowered: ['rows', 'timeoutMs'],
    stores: {
      ...product.boundary.stores,
      objects: {
        kind: 's3',
        url: 's3://flights/2013/',
        endpoint: 'https://objects.example.com',
        region: 'eu-central-1',
        credential: 'reader',
        certificates: 'ca.pem',
      },
    },
    credentials: {
      reader: { kind: 'role', role: 'arn:aws:iam::123456789012:role/reader', minutes: 15, externalId: true },
      writer: { kind: 'keys' },
    },
    tables: {
      ...product.boundary.tables,
      flights: {
        ...table,
        partitions: ['date'],
        statistics: false,
      },
    },
  };
});

function rule(measure: Measure, column: string | null, onFailure: 'report' | 'close'): BoundaryRule {
  const told = { description: '', dimension: null, unit: 'rows', severity: 'error' } as const;
  return { ...told, column, measure, operator: 'mustBeBetween', than: ['0', '1.5'], onFailure };
}

afterAll(async () => {
  await engine.close();
  rmSync(folder, { recursive: true });
});

const oracle = withPolicies(textualImplication);
const schema = emitSchemas()['difference.schema.json'] as object;
const valid = new Ajv({ strict: false }).compile(schema);

type Path = readonly (string | number)[];

/** Every place in a value, the whole aside. */
function places(value: unknown, path: Path = []): readonly Path[] {
  if (value === null || typeof value !== 'object') return [path];
  const inner = Array.isArray(value) ? value.map((each, place) => [place, each] as const) : Object.entries(value);
  return [...(path.length === 0 ? [] : [path]), ...inner.flatMap(([key, each]) => places(each, [...path, key]))];
}

/** The same value but for one place, of which something else is made. */
function changed(value: unknown, [key, ...rest]: Path, change: (part: unknown) => unknown): unknown {
  if (key === undefined) return change(value);
  const part = structuredClone(value) as Record<string | number, unknown>;
  const now = changed(part[key], rest, change);
  if (now !== undefined) part[key] = now;
  else if (Array.isArray(part)) part.splice(Number(key), 1);
  else delete part[key];
  return part;
}

/** Members that may not be there, and those that may be null; maps and lists lose and gain. */
const OPTIONAL =
  /^(?:credentials|issuers|lowered|quality|serviceLevels|stores\.[^.]+\.certificates|credentials\.[^.]+\.externalId|tables\.[^.]+\.(?:partitions|statistics))$/;
const NULLABLE =
  /^(?:anonymous|issuers\.[^.]+\.(?:type|kind)|quality\..+\.(?:dimension|column)|serviceLevels\.[^.]+\.(?:unit|element|driver)|stores\.[^.]+\.(?:credential|endpoint)|masks\.[^.]+\.(?:tag|order)|queries\.[^.]+\.parameters\.[^.]+\.(?:default|minimum|maximum))$/;
const MAPS =
  /^(?:quality|quality\.[^.]+|serviceLevels|purposes|claims|credentials|issuers|issuers\.[^.]+\.claims|stores|catalogs|tables|views|settings|rowFilters|masks|queries|policies|anonymous\.claims|queries\.[^.]+\.parameters|(?:views|queries|rowFilters)\.[^.]+\.reads\.tables)$/;

function somethingElse(path: Path, turn: number): (part: unknown) => unknown {
  const where = path.join('.');
  return (part) => {
    if (turn % 3 === 0 && NULLABLE.test(where))
      return part === null ? (/tag$|^issuers/.test(where) ? 'exact-time' : 1) : null;
    if (turn % 3 === 0 && (OPTIONAL.test(where) || MAPS.test(path.slice(0, -1).join('.')))) return undefined;
    if (typeof part === 'string') return turn % 2 === 0 ? `${part} ` : `x${part}`;
    if (typeof part === 'number') return part + (turn % 2 === 0 ? 1 : -1);
    if (typeof part === 'boolean') return !part;
    if (Array.isArray(part)) return turn % 2 === 0 && part.length > 1 ? part.toReversed() : part.slice(1);
    if (part !== null && MAPS.test(where)) {
      const [first] = Object.entries(part);
      return { ...part, another: first === undefined ? { description: '' } : first[1] };
    }
    // A member that no rule knows.
    return part === null ? 'text' : { ...part, unheard: true };
  };
}

describe('a difference', () => {
  it('has a line for whatever is changed in a boundary, and tells it in the published form', async () => {
    // A member first: most places are settings.
    const all = Object.keys(flights).map((member) => places(flights).filter(([first]) => first === member));
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.nat(), fc.nat({ max: 5 }), fc.boolean(), async (member, place, turn, back) => {
        const within = all[member % all.length] ?? [];
        const path = within[place % within.length] ?? [];
        const other = changed(flights, path, somethingElse(path, turn)) as Boundary;
        const [before, after] = back ? [other, flights] : [flights, other];
        const found = await difference(before, after, oracle);
        const same = canonicalize(before) === canonicalize(after);
        expect(found.lines.length > 0, path.join('.')).toBe(!same);
        expect(found.effect === 'same').toBe(same);
        expect(valid(found), JSON.stringify(valid.errors)).toBe(true);
        expect(found.before?.fingerprint === found.after.fingerprint).toBe(same);
        const told = same || found.lines.some((line) => line.path.startsWith(`/${String(path[0])}`));
        expect(told, path.join('.')).toBe(true);
        // Every part has a rule of its own, but for what no rule can know.
        const unknown = found.lines.filter(({ reason }) => reason.includes('no rule'));
        expect(unknown.every((line) => JSON.stringify(other).includes('"unheard"') && line.effect === 'widens')).toBe(
          true,
        );
        seen.add(String(path[0]));
      }),
      { numRuns: 800 },
    );
    for (const member of Object.keys(flights).filter((name) => !['format', 'environment'].includes(name)))
      expect(seen).toContain(member);
  });

  it('has a line between any two boundaries that are not one', async () => {
    const whole = boundaries.chain((boundary) =>
      policySets(boundary).map((rules) => ({ ...boundary, policies: { 'flights.cedar': render(rules) } })),
    );
    await fc.assert(
      fc.asyncProperty(whole, whole, async (before, after) => {
        const found = await difference(before, after, oracle);
        expect(found.lines.length > 0).toBe(fingerprint(before) !== fingerprint(after));
        expect(await difference(after, after, oracle)).toMatchObject({ effect: 'same', lines: [] });
      }),
      { numRuns: 60 },
    );
  });

  it('widens where it is the first', async () => {
    const found = await difference(null, flights, oracle);
    expect(found).toMatchObject({ before: null, effect: 'widens' });
    expect(valid(found)).toBe(true);
    for (const name of ['flights', 'airports', 'sample_flights'])
      expect(found.lines).toContainEqual(expect.objectContaining({ path: `/tables/${name}`, effect: 'widens' }));
    expect(found.lines).toContainEqual(
      expect.objectContaining({
        subject: 'policy `auditors-see-everything`',
        reason: expect.stringMatching(
          /`own-state`.*`day-only`.*no longer hold for role `auditor` of tenant `mobility`/,
        ),
      }),
    );
  });
});
