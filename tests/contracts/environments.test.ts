import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { formatProblem } from '@ambit/contract';
import { type BoundEnvironment, ContractsInvalid, loadEnvironment } from '@ambit/session';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';

// An environment is one file, or several of which each says what it has of its own.

const folder = mkdtempSync(join(tmpdir(), 'ambit-environments-'));
afterAll(() => rmSync(folder, { recursive: true }));
let count = 0;

/** Loads the first of some files. Kinds and versions are added where they are not said. */
async function load(files: Readonly<Record<string, string>>): Promise<BoundEnvironment> {
  count += 1;
  const own = join(folder, String(count));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(own, name)), { recursive: true });
    writeFileSync(join(own, name), text);
  }
  return loadEnvironment(join(own, Object.keys(files)[0] ?? ''));
}

/** What is said of files that are wrong, their folder left out. */
async function said(files: Readonly<Record<string, string>>): Promise<string> {
  try {
    await load(files);
    return 'nothing is wrong';
  } catch (error) {
    if (!(error instanceof ContractsInvalid)) throw error;
    return error.problems
      .map(formatProblem)
      .join('\n')
      .replaceAll(join(folder, String(count), '/'), '');
  }
}

/** Puts a value into a map of a map. */
function put(part: Record<string, Record<string, unknown>> = {}, key = '', inner = '', value: unknown = null): void {
  part[key] = { ...part[key], [inner]: value };
}

const own = (more: string): string =>
  `apiVersion: ambit/v1\nkind: Environment\nname: test\nextends: base.yaml\n${more}`;
const base = (more: string): string => `apiVersion: ambit/v1\nkind: EnvironmentBase\n${more}`;

describe('what an environment inherits', () => {
  it('is merged by key, and replaced where it is no map', async () => {
    const { value } = await load({
      'test.yaml': own('listen: { port: 1 }\nstores:\n  b: { root: /b }\nidentity:\n  jwt: []\n'),
      'base.yaml': base(
        'listen: { host: 127.0.0.1, port: 7 }\nstores:\n  a: { root: /a }\n  b: { root: /x }\nidentity:\n' +
          '  jwt: [{ issuer: i, audience: a, jwks: k.json, algorithms: [RS256], tenant: t }]\n',
      ),
    });
    expect(value).toEqual({
      apiVersion: 'ambit/v1',
      kind: 'Environment',
      name: 'test',
      listen: { host: '127.0.0.1', port: 1 },
      stores: { a: { root: '/a' }, b: { root: '/b' } },
      identity: { jwt: [] },
    });
  });

  it('is taken away by null, a value or a whole map, and may come again', async () => {
    const { value } = await load({
      'test.yaml': own('limits: { rows: null }\nexports: null\nsettings: { datafusion.a: 2 }\n').replace(
        'base.yaml',
        'middle.yaml',
      ),
      'middle.yaml': base('extends: base.yaml\nsettings: null\n'),
      'base.yaml': base(
        'limits: { rows: 5, bytes: 1MiB }\nexports: { prometheus: { port: 1 } }\nsettings: { datafusion.b: 1 }\n',
      ),
    });
    expect(value).toMatchObject({ limits: { bytes: '1MiB' }, settings: { 'datafusion.a': 2 } });
    expect(value.limits).toEqual({ bytes: '1MiB' });
    expect(value.settings).toEqual({ 'datafusion.a': 2 });
    expect(value).not.toHaveProperty('exports');
  });

  it('has its paths relative to the file that says them', async () => {
    const environment = await load({
      'production/own.yaml': own('evidence: log\n').replace('base.yaml', '../common/base.yaml'),
      'common/base.yaml': base(
        'keys: keys.json\nstores: { a: { root: ../data }, b: { root: /b } }\ntls: { certificate: c.pem, key: k.pem }\n' +
          'exports: { otlp: { url: "https://c:1", headers: { x: { file: secret } } } }\nidentity:\n  jwt:\n' +
          '    - { issuer: i, audience: a, jwks: k.json, algorithms: [RS256], tenant: t }\n' +
          '    - { issuer: j, audience: a, jwks: "https://i/k.json", algorithms: [RS256], tenant: t }\n',
      ),
    });
    expect(environment.value).toMatchObject({
      evidence: 'log',
      keys: '../common/keys.json',
      stores: { a: { root: '../data' }, b: { root: '/b' } },
      tls: { certificate: '../common/c.pem', key: '../common/k.pem' },
      exports: { otlp: { url: 'https://c:1', headers: { x: { file: '../common/secret' } } } },
      identity: { jwt: [{ jwks: '../common/k.json' }, { jwks: 'https://i/k.json' }] },
    });
  });

  it('is not what another environment is called: each says its own name', async () => {
    const parent = 'apiVersion: ambit/v1\nkind: Environment\nname: production\nlimits: { rows: 5 }\n';
    const { value } = await load({ 'test.yaml': own(''), 'base.yaml': parent });
    expect(value).toMatchObject({ name: 'test', limits: { rows: 5 } });
    expect(await said({ 'test.yaml': own('').replace('name: test\n', ''), 'base.yaml': parent })).toBe(
      'test.yaml:1:1  `name` is missing\n  hint: Which environment it is',
    );
  });

  it('comes from a file, a line and a column', async () => {
    const { origin, files } = await load({
      'test.yaml': own('limits:\n  rows: 1\n'),
      'base.yaml': base('limits:\n  rows: 2\n  bytes: 1MiB\nstores: { a: { root: x } }\n'),
    });
    const place = (path: readonly string[]): string => {
      const { file, line, column } = origin(path);
      return `${file.slice(file.lastIndexOf('/') + 1)}:${line}:${column}`;
    };
    expect(place(['limits', 'rows'])).toBe('test.yaml:6:3');
    expect(place(['limits', 'bytes'])).toBe('base.yaml:5:3');
    expect(place(['stores', 'a', 'root'])).toBe('base.yaml:6:16');
    expect(files.map((file) => file.slice(file.lastIndexOf('/') + 1))).toEqual(['test.yaml', 'base.yaml']);
  });

  it('is the same however it is cut into files', async () => {
    const whole = {
      listen: { host: '127.0.0.1', port: 7 },
      stores: { a: { root: '/a' }, b: { root: '/b' }, c: { root: '/c' } },
      engine: { isolation: 'shared', workers: 2, memory: '1GiB' },
      limits: { rows: 5, bytes: '1MiB', timeout: '5s' },
      settings: { 'datafusion.a': 1, 'datafusion.b': true },
      exports: { prometheus: { host: '127.0.0.1', port: 9 } },
      evidence: '/log',
    };
    const leaves = Object.entries(whole).flatMap(([key, value]) =>
      typeof value === 'object' ? Object.entries(value).map(([inner, each]) => [key, inner, each] as const) : [],
    );
    const cut = fc.array(fc.record({ in: fc.nat(3), before: fc.boolean() }), {
      minLength: leaves.length,
      maxLength: leaves.length,
    });
    await fc.assert(
      fc.asyncProperty(cut, async (cuts) => {
        const parts: Record<string, Record<string, unknown>>[] = [{}, {}, {}, {}];
        for (const [at, [key, inner, value]] of leaves.entries()) {
          const { in: layer, before } = cuts[at] ?? { in: 0, before: false };
          put(parts[layer], key, inner, value);
          // Something else stands in the way further down: another value of the same leaf.
          if (before && layer < 3 && key === 'stores') {
            put(parts[3], key, inner, { root: '/other' });
          }
        }
        const files = parts.map((part, at) => [
          `${at}.yaml`,
          stringify({
            apiVersion: 'ambit/v1',
            kind: at === 0 ? 'Environment' : 'EnvironmentBase',
            ...(at === 0 ? { name: 'test', evidence: '/log' } : {}),
            ...(at < 3 ? { extends: `${at + 1}.yaml` } : {}),
            ...part,
          }),
        ]);
        const { value } = await load(Object.fromEntries(files) as Record<string, string>);
        const { apiVersion: _, kind: __, name: ___, ...rest } = value;
        expect(rest).toEqual(whole);
      }),
      { numRuns: 60 },
    );
  });
});

describe('what is wrong is said where it stands', () => {
  const rows: readonly (readonly [string, Readonly<Record<string, string>>, string])[] = [
    [
      'in a base, though another file adds to it',
      { 'test.yaml': own('limits: { rows: 1 }\n'), 'base.yaml': base('limits:\n  bytes: much\n  rowz: 5\n') },
      'base.yaml:4:10  `much` is not of the form that stands here\n  hint: Bytes of a result: 64KiB, 512MiB, 2GiB\n' +
        'base.yaml:5:3  unknown key `rowz`\n  hint: did you mean `rows`',
    ],
    [
      'in a base, though what is wrong there is replaced',
      { 'test.yaml': own('engine: { isolation: tenant }\n'), 'base.yaml': base('engine: { isolation: tenent }\n') },
      'base.yaml:3:22  `tenent` cannot stand here\n  hint: did you mean `tenant`',
    ],
    [
      'in more files than one, once each',
      { 'test.yaml': own('listen: 5\n'), 'base.yaml': base('store: {}\n') },
      'test.yaml:5:9  expected a map\n  hint: Default: 127.0.0.1:7070. Another host needs tls\n' +
        'base.yaml:3:1  unknown key `store`\n  hint: did you mean `stores`',
    ],
    [
      'where no file says what has to be said',
      { 'test.yaml': own('tls: { key: k.pem }\n'), 'base.yaml': base('tls: {}\n') },
      'test.yaml:5:1  `certificate` is missing\n  hint: PEM file',
    ],
    [
      'where there is nothing to take away',
      { 'test.yaml': own('limits: { rows: null }\nkeys: null\n'), 'base.yaml': base('limits: { bytes: 1MiB }\n') },
      'test.yaml:5:11  there is nothing to take away: no base has `limits.rows`\n  hint: leave it out\n' +
        'test.yaml:6:1  there is nothing to take away: no base has `keys`\n  hint: leave it out',
    ],
    [
      'where a base takes away, and has no base',
      { 'test.yaml': own(''), 'base.yaml': base('limits: null\n') },
      'base.yaml:3:9  expected a map\n  hint: What a session may use up. All are hard',
    ],
    [
      'where a file extends itself',
      { 'test.yaml': own(''), 'base.yaml': base('extends: ./test.yaml\n') },
      'base.yaml:3:10  `test.yaml` extends itself\n  hint: the circle: test.yaml → base.yaml → test.yaml',
    ],
    [
      'where a base is not there',
      { 'test.yaml': own('limit: {}\n') },
      'test.yaml:4:10  cannot read `base.yaml`\n  hint: it is relative to the file that names it',
    ],
    [
      'where a base is something else',
      { 'test.yaml': own(''), 'base.yaml': 'apiVersion: ambit/v1\nkind: DataProduct\nname: x\n' },
      'base.yaml:2:7  this is no environment, and no base of one\n' +
        '  hint: the `kind` of what is extended is Environment or EnvironmentBase',
    ],
    [
      'where a base stands in the place of an environment',
      { 'base.yaml': base('') },
      'base.yaml:2:7  a base is no environment of its own\n  hint: name an environment that extends it',
    ],
    [
      'where a base has a name',
      { 'test.yaml': own(''), 'base.yaml': base('name: test\n') },
      'base.yaml:3:1  unknown key `name`\n  hint: keys here: apiVersion, kind, extends, listen, tls, stores, credentials, engine, ' +
        'evidence, evidenceKey, evidenceSeals, evidenceSealPeriod, witnesses, evidenceDatabase, keys, drift, quality, exports, ' +
        'identity, review, breakGlass, settings, limits',
    ],
    [
      'where a base cannot be read as YAML',
      { 'test.yaml': own('listen: 5\n'), 'base.yaml': base('limits: {\n') },
      'test.yaml:5:9  expected a map\n  hint: Default: 127.0.0.1:7070. Another host needs tls\n' +
        'base.yaml:4:1  flow map in block collection must be sufficiently indented and end with a }',
    ],
    [
      'where `extends` is no text',
      { 'test.yaml': own('').replace('extends: base.yaml', 'extends: [base.yaml]') },
      'test.yaml:4:10  expected text\n  hint: File of the environment or base that this one adds to, relative to this file',
    ],
  ];

  it.each(rows)('%s', async (_, files, expected) => {
    expect(await said(files)).toBe(expected);
  });

  it('where a chain of bases is too long', async () => {
    const chain = Array.from({ length: 12 }, (_, at) => [
      `${at}.yaml`,
      at === 0
        ? own('').replace('base.yaml', '1.yaml')
        : `apiVersion: ambit/v1\nkind: EnvironmentBase\nextends: ${at + 1}.yaml\n`,
    ]);
    expect(await said(Object.fromEntries(chain) as Record<string, string>)).toBe(
      '8.yaml:3:10  there are more than 8 bases\n  hint: put some of them together',
    );
  });
});
