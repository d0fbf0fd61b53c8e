import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Engine } from '@ambit/engine';
import { type BoundEnvironment, ContractsInvalid, loadEnvironment, loadProducts, type Product } from '@ambit/session';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isMap, isScalar, parseDocument, parse, type Scalar, stringify, visit } from 'yaml';
import { root } from '../server.ts';
import { checkingEngine } from './engine.ts';

// The fingerprint is what a review covers: it stays where nothing changed, and moves with everything that did.

const folder = mkdtempSync(join(tmpdir(), 'ambit-fingerprint-'));
const source = readFileSync(join(root, 'examples/flights/flights.yaml'), 'utf8');
let engine: Engine;
let environment: BoundEnvironment;
let before: Product;

beforeAll(async () => {
  cpSync(join(root, 'examples/flights/flights.cedar'), join(folder, 'flights.cedar'));
  writeFileSync(join(folder, 'environment.yaml'), environmentText(''));
  engine = await checkingEngine();
  environment = await loadEnvironment(join(folder, 'environment.yaml'));
  before = await load(source);
});

afterAll(async () => {
  await engine.close();
  rmSync(folder, { recursive: true });
});

function environmentText(more: string): string {
  return `apiVersion: ambit/v1\nkind: Environment\nname: test\nstores: { lake: { root: . } }\n${more}`;
}

async function load(text: string, within: BoundEnvironment = environment): Promise<Product> {
  const file = join(folder, 'flights.yaml');
  writeFileSync(file, text);
  const [product] = await loadProducts([file], within, engine);
  if (product === undefined) throw new Error('nothing was loaded');
  return product;
}

/** Null: it is refused. */
async function fingerprintOf(text: string): Promise<string | null> {
  try {
    return (await load(text)).fingerprint;
  } catch (error) {
    if (error instanceof ContractsInvalid) return null;
    throw error;
  }
}

/** Maps in another order, but for columns: theirs is the order of the result. */
function shuffled(value: unknown, turn: number, key = ''): unknown {
  if (Array.isArray(value)) return value.map((each) => shuffled(each, turn));
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).map(([name, each]) => [name, shuffled(each, turn, name)] as const);
  if (key === 'columns') return Object.fromEntries(entries);
  const at = entries.length === 0 ? 0 : turn % entries.length;
  return Object.fromEntries([...entries.slice(at), ...entries.slice(0, at)].toReversed());
}

describe('the fingerprint stays', () => {
  it('where literals are kept, said or not, and moves where they are sealed', async () => {
    expect(await fingerprintOf(`${source}\nevidence: { literals: kept }\n`)).toBe(before.fingerprint);
    expect(await fingerprintOf(`${source}\nevidence: {}\n`)).toBe(before.fingerprint);
    expect(before.boundary).not.toHaveProperty('evidence');
    const sealed = await load(`${source}\nevidence: { literals: sealed }\n`);
    expect(sealed.fingerprint).not.toBe(before.fingerprint);
    expect(sealed.boundary.evidence).toEqual({ literals: 'sealed' });
    expect(await fingerprintOf(`${source}\nevidence: { literals: hidden }\n`)).toBeNull();
  });
  it('with any order of keys, style and width', { timeout: 60_000 }, async () => {
    const styles = fc.constantFrom<Scalar.Type>('PLAIN', 'QUOTE_DOUBLE', 'QUOTE_SINGLE', 'BLOCK_LITERAL');
    await fc.assert(
      fc.asyncProperty(
        fc.nat(20),
        styles,
        fc.integer({ min: 0, max: 120 }),
        fc.boolean(),
        async (turn, style, width, flow) => {
          const text = stringify(shuffled(parse(source), turn), {
            defaultStringType: style,
            defaultKeyType: 'PLAIN',
            lineWidth: width < 40 ? 0 : width,
            ...(flow ? { collectionStyle: 'flow' as const } : {}),
          });
          expect(await fingerprintOf(text)).toBe(before.fingerprint);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('without comments and blank lines, and with line breaks of Windows', async () => {
    const bare = source.replaceAll(/^\s*#.*\n/gm, '').replaceAll(/\n\n+/g, '\n');
    expect(await fingerprintOf(bare)).toBe(before.fingerprint);
    expect(await fingerprintOf(source.replaceAll('\n', '\r\n'))).toBe(before.fingerprint);
  });
});

describe('the fingerprint of an environment that inherits', () => {
  it('is that of one that says all of it itself', async () => {
    const whole = environmentText('limits: { rows: 7 }\nsettings: { datafusion.execution.batch_size: 5 }\n');
    writeFileSync(join(folder, 'whole.yaml'), whole);
    mkdirSync(join(folder, 'bases'));
    const base =
      'stores: { lake: { root: .. } }\nlimits: { rows: 9 }\nsettings: { datafusion.execution.batch_size: 5 }\n';
    writeFileSync(join(folder, 'bases/base.yaml'), `apiVersion: ambit/v1\nkind: EnvironmentBase\n${base}`);
    const own = 'name: test\nextends: bases/base.yaml\nlimits: { rows: 7 }\n';
    writeFileSync(join(folder, 'own.yaml'), `apiVersion: ambit/v1\nkind: Environment\n${own}`);
    const [one, other] = await Promise.all(
      ['whole.yaml', 'own.yaml'].map((file) => loadEnvironment(join(folder, file))),
    );
    const first = await load(source, one);
    const second = await load(source, other);
    expect(second.boundary).toEqual(first.boundary);
    expect(second.fingerprint).toBe(first.fingerprint);
    expect(second.roots).toEqual(first.roots);
    expect(first.fingerprint).not.toBe(before.fingerprint);
  });
});

describe('the fingerprint of an environment', () => {
  const within = async (more: string): Promise<BoundEnvironment> => {
    writeFileSync(join(folder, 'other.yaml'), environmentText(more));
    return loadEnvironment(join(folder, 'other.yaml'));
  };
  const issuer = (more = ''): string =>
    `{ issuer: "https://id", audience: ambit, jwks: keys.json, algorithms: [RS256, ES256], tenant: mobility${more} }`;

  it('moves with whose word is taken for who asks, defaults said or not', async () => {
    const one = await load(source, await within(`identity: { jwt: [${issuer()}] }\n`));
    expect(one.boundary.issuers).toEqual({
      'https://id': {
        audience: 'ambit',
        jwks: 'keys.json',
        algorithms: ['ES256', 'RS256'],
        tenant: 'mobility',
        type: null,
        principal: 'sub',
        roles: 'roles',
        kind: null,
        claims: {},
      },
    });
    expect(one.fingerprint).not.toBe(before.fingerprint);
    const said = await within(`identity: { jwt: [${issuer(', principal: sub, roles: roles, claims: {}')}] }\n`);
    expect((await load(source, said)).fingerprint).toBe(one.fingerprint);
    const other = await within(`identity: { jwt: [${issuer(', claims: { state: home }')}] }\n`);
    expect((await load(source, other)).fingerprint).not.toBe(one.fingerprint);
    expect((await load(source, await within('identity: { jwt: [] }\n'))).fingerprint).toBe(before.fingerprint);
  });

  it('is not there where one issuer stands twice: a token could mean either', async () => {
    const twice = await within(`identity: { jwt: [${issuer()}, ${issuer(', roles: groups')}] }\n`);
    await expect(load(source, twice)).rejects.toMatchObject({
      problems: [{ message: 'issuer `https://id` stands there twice', file: join(folder, 'other.yaml') }],
    });
  });

  it('tells which limits are its own, and none where the contract has lower ones', async () => {
    const lower = await load(source, await within('limits: { rows: 5, depth: 1000000, queue: 0 }\n'));
    expect(lower.boundary.lowered).toEqual(['queue', 'rows']);
    expect(before.boundary).not.toHaveProperty('lowered');
  });
});

describe('the fingerprint moves', () => {
  it('with every value that is changed, or the contract is refused', { timeout: 120_000 }, async () => {
    const places: { readonly path: readonly (string | number)[]; readonly value: unknown }[] = [];
    visit(parseDocument(source), {
      Scalar: (key, node, path) => {
        if (key === 'key') return;
        const steps = path.flatMap((parent, at) => {
          const child = path[at + 1] ?? node;
          if (isMap(parent))
            return parent.items.flatMap((pair) => (pair === child ? [String((pair.key as Scalar).value)] : []));
          if ('items' in parent) return [parent.items.indexOf(child)];
          return [];
        });
        places.push({ path: steps, value: node.value });
      },
    });
    expect(places.length).toBeGreaterThan(140);
    const still: string[] = [];
    for (const { path, value } of places) {
      const document = parseDocument(source);
      expect(isScalar(document.getIn(path, true))).toBe(true);
      document.setIn(path, changed(value));
      if ((await fingerprintOf(String(document))) === before.fingerprint) still.push(path.join('.'));
    }
    // What a function of a group and one by its name allow is the same.
    expect(still).toEqual([]);
  });

  it('with every policy that is changed', async () => {
    const file = join(folder, 'flights.cedar');
    const policies = readFileSync(file, 'utf8');
    writeFileSync(file, policies.replace('context.purpose == "research"', 'context.purpose == "safety-audit"'));
    expect(await fingerprintOf(source)).not.toBe(before.fingerprint);
    writeFileSync(file, policies);
    expect(await fingerprintOf(source)).toBe(before.fingerprint);
  });
});

/** Another value of the same kind. */
function changed(value: unknown): unknown {
  if (typeof value === 'boolean') return !value;
  if (typeof value === 'number') return value + 1;
  const text = String(value);
  if (/^[0-9]+[A-Za-z]+$/.test(text)) return text.replace(/^[0-9]+/, (digits) => String(Number(digits) - 1));
  return `${text}x`;
}

describe('every setting', () => {
  it('is in the boundary with its value and where it came from', async () => {
    writeFileSync(
      join(folder, 'environment.yaml'),
      environmentText('settings: { datafusion.execution.coalesce_batches: false }\n'),
    );
    const own = await loadEnvironment(join(folder, 'environment.yaml'));
    const { settings } = (await load(source, own)).boundary;
    const { settings: known } = await engine.catalog();
    expect(Object.keys(settings).toSorted()).toEqual(known.map(({ key }) => key).toSorted());
    expect(settings['datafusion.execution.batch_size']).toEqual({ value: '8192', origin: 'contract' });
    expect(settings['datafusion.execution.coalesce_batches']).toEqual({ value: 'false', origin: 'environment' });
    expect(settings['datafusion.execution.target_partitions']).toEqual({ value: '2', origin: 'ambit' });
    expect(settings['datafusion.optimizer.prefer_hash_join']).toEqual({ value: 'true', origin: 'datafusion' });
    for (const { key, default: fallback, ambit } of known) {
      const { value, origin } = settings[key] ?? {};
      if (origin === 'datafusion') expect(value).toBe(fallback);
      if (origin === 'ambit') expect(value).toBe(ambit);
    }
  });
});
