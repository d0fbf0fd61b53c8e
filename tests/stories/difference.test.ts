import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Difference } from '@ambit/contract';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { root, type Server, startServer } from '../server.ts';

// An owner asks what differs: between environments, between versions, between what runs and what is in the folder.

// Each command starts an engine of its own to check contracts.
vi.setConfig({ testTimeout: 120_000 });

const folder = mkdtempSync(join(tmpdir(), 'ambit-owner-'));
const products = join(folder, 'products');
const contract = join(products, 'flights.yaml');
const cedar = join(products, 'flights.cedar');

type Name = 'omar' | 'ada' | 'ray' | 'zoe';
let server: Server<Name>;

const git = (...words: string[]): string =>
  execFileSync('git', ['-C', folder, '-c', 'user.name=owner', '-c', 'user.email=owner@example.org', ...words], {
    encoding: 'utf8',
  });

function commit(message: string): void {
  git('add', '-A');
  git('commit', '-q', '-m', message);
}

const edit = (file: string, from: string, to: string): void => {
  const text = readFileSync(file, 'utf8');
  if (!text.includes(from)) throw new Error(`${file} does not have ${from}`);
  writeFileSync(file, text.replace(from, to));
};

const environment = (name: string, more = ''): void =>
  writeFileSync(
    join(products, `${name}.yaml`),
    `apiVersion: ambit/v1\nkind: Environment\nname: ${name}\nstores: { lake: { root: ${name}-data } }\n${more}`,
  );

beforeAll(async () => {
  mkdirSync(products);
  for (const file of ['flights.yaml', 'flights.cedar'])
    cpSync(join(root, 'examples/flights', file), join(products, file));
  environment('test');
  environment('production', 'limits: { rows: 1000 }\n');
  mkdirSync(join(products, 'test-data'));
  git('init', '-q', '-b', 'main');
  commit('Version 1.0.0');
  edit(contract, 'version: 1.0.0', 'version: 1.1.0');
  edit(contract, "date_trunc('day', value)", "date_trunc('month', value)");
  commit('Version 1.1.0: months, not days');
  server = await startServer<Name>({
    paths: [contract],
    environment: `stores: { lake: { root: ${join(products, 'test-data')} } }\n`,
    subjects: {
      omar: { tenant: 'mobility', roles: ['operator'], claims: { state: 'CA' } },
      ada: { tenant: 'mobility', roles: ['auditor'] },
      ray: { tenant: 'mobility', roles: ['reviewer'] },
      zoe: { tenant: 'elsewhere', roles: ['operator'] },
    },
  });
});

afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Ran {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

function ambit(words: readonly string[], env: Readonly<Record<string, string>> = {}): Ran {
  const ran = spawnSync(process.execPath, [join(root, 'packages/cli/bin/ambit.js'), 'diff', 'flights', ...words], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  return { status: ran.status, out: ran.stdout, err: ran.stderr };
}

function differs(
  from: string,
  to: string,
  more: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Difference & { status: number | null } {
  const ran = ambit(['--from', from, '--to', to, '--json', ...more], env);
  expect(ran.out, ran.err).not.toBe('');
  return { ...(JSON.parse(ran.out) as Difference), status: ran.status };
}

describe('ambit diff', () => {
  it('compares two environments by name', () => {
    const found = differs('test', 'production');
    expect(found).toMatchObject({
      effect: 'changes',
      status: 1,
      before: { environment: 'test' },
      after: { environment: 'production' },
    });
    expect(found.lines.map(({ path, effect }) => `${path} ${effect}`)).toEqual([
      '/environment changes',
      '/lowered changes',
      '/stores/lake/root changes',
      '/limits/rows narrows',
    ]);
    expect(found.lines[2]?.reason).toMatch(
      /tables `airports`, .* now read, and row filter `own-state` decide by, other data/,
    );
    expect(ambit(['--from', 'test', '--to', 'production', '--allow', 'changes']).status).toBe(0);
  });

  it('compares versions, each as it was last in the history, or as it is here', () => {
    const found = differs('1.0.0', '1.1.0', ['--environment', 'test']);
    expect(found).toMatchObject({ effect: 'changes', before: { version: '1.0.0' }, after: { version: '1.1.0' } });
    expect(found.lines.map(({ subject, effect }) => `${subject}: ${effect}`)).toEqual([
      'the version of product `flights`: changes',
      'mask `day-only`: narrows',
    ]);
    expect(differs('1.1.0', '1.0.0', ['--environment', 'test'])).toMatchObject({ effect: 'widens', status: 1 });
    const none = ambit(['--from', '9.9.9', '--to', './products']);
    expect(none).toMatchObject({ status: 1, out: '' });
    expect(none.err).toContain('no contract of `flights` declares version 9.9.9, now or in the history');
  });

  it('compares a git ref with the folder, and says in words what a policy opens', () => {
    expect(differs('main', './products', ['--environment', 'test'])).toMatchObject({
      effect: 'same',
      lines: [],
      status: 0,
    });
    const [before, policies] = [readFileSync(contract, 'utf8'), readFileSync(cedar, 'utf8')];
    try {
      edit(
        contract,
        '      table: flights\n      where: origin IN (SELECT iata FROM airports WHERE state = $claims.state)',
        "      table: flights\n      where: 'true'",
      );
      writeFileSync(
        cedar,
        `${policies}\n@id("guests") permit (principal in Role::"mobility/guest", action == Action::"exempt", resource == Mask::"day-only");\n`,
      );
      const told = ambit(['--from', 'main', '--to', './products', '--environment', 'test']);
      expect(told.status).toBe(1);
      expect(told.err).toContain('error: someone may see or do more [widens]');
      expect(told.out).toContain('mask `day-only` no longer holds for role `guest` of tenant `mobility`');
      expect(told.out).toContain('row filter `own-state` of table `flights`');
      // Nobody watches: no colours.
      expect(told.out).not.toContain('\u001b');
      const markdown = ambit(['--from', 'main', '--to', './products', '--environment', 'test', '--markdown']).out;
      expect(markdown).toMatch(/^### `flights`: \d+ widens, /);
      expect(markdown).toContain('```diff');
    } finally {
      writeFileSync(contract, before);
      writeFileSync(cedar, policies);
    }
  });

  it('finds the environment of a commit beside its contract', () => {
    const found = differs('main~1', 'main', ['--contracts', 'products/flights.yaml', '--environment', 'production']);
    expect(found).toMatchObject({
      before: { version: '1.0.0', environment: 'production' },
      after: { version: '1.1.0' },
    });
  });

  it('tells a problem of a commit by its name there', () => {
    const before = readFileSync(contract, 'utf8');
    edit(contract, 'tag: location', 'tag: locaton');
    commit('A slip');
    writeFileSync(contract, before);
    commit('Without the slip');
    const ran = ambit(['--from', 'main~1', '--to', './products']);
    expect(ran).toMatchObject({ status: 1, out: '' });
    expect(ran.err).toContain('main~1:products/flights.yaml:');
    expect(ran.err).toContain('locaton');
  });

  it('compares what runs, for who may see the boundary whole', async () => {
    const where = ['--server', server.url, '--environment', 'test'];
    const found = differs('running', './products', where, { AMBIT_TOKEN: server.token('ada') });
    expect(found.lines.map(({ path }) => path)).toEqual(['/stores/lake/root']);
    // The same as a file.
    const boundary = join(folder, 'running.json');
    writeFileSync(boundary, await (await server.as('ada', '/v1/products/flights/boundary')).text());
    expect(differs('running', 'running.json', where, { AMBIT_TOKEN: server.token('ada') })).toMatchObject({
      effect: 'same',
      status: 0,
    });
    const refused = ambit(['--from', 'running', '--to', './products', ...where], { AMBIT_TOKEN: server.token('omar') });
    expect(refused).toMatchObject({ status: 1, out: '' });
    expect(refused.err).toContain('[boundary_refused]');
  });

  it('is told to nobody else: an operator is refused, and to a stranger the product is not there', async () => {
    const answer = async (name: Name | null) => {
      const reply = await server.as(name, '/v1/products/flights/boundary');
      const told: unknown = await reply.json();
      return { status: reply.status, told };
    };
    expect(await answer('omar')).toMatchObject({ status: 403, told: { code: 'boundary_refused' } });
    expect(JSON.stringify(await answer('omar'))).not.toContain('own-state');
    expect(await answer('zoe')).toMatchObject({ status: 404, told: { code: 'product_unknown' } });
    expect(await answer('ray')).toMatchObject({ status: 404, told: { code: 'product_unknown' } });
    expect(await answer(null)).toMatchObject({ status: 401 });
    expect(await answer('ada')).toMatchObject({
      status: 200,
      told: { format: 'ambit/boundary/v1', policies: { 'flights.cedar': expect.stringContaining('permit') } },
    });
  });

  it.each([
    [['--from', 'nowhere', '--to', './products'], '`nowhere` is neither a file, a folder nor a git ref'],
    [['--from', 'staging', '--to', './products'], 'there is no environment `staging` beside the contract'],
    [['--from', './products', '--to', 'nothing'], '`--to nothing` is no boundary'],
    [['--from', './products', '--to', './products', '--json', '--markdown'], 'as JSON or as Markdown'],
  ])('refuses %j with what to do', (words, message) => {
    const ran = ambit(words);
    expect(ran).toMatchObject({ status: 2, out: '' });
    expect(ran.err).toContain(message);
  });
});
