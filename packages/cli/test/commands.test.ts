import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';

import { evidence } from './evidence.ts';
import { ambit, json, playing, problem } from './player.ts';

let cwd = '';
const folders: string[] = [];
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'ambit-cli-'));
  folders.push(cwd);
});
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true })));

const sam = ['key', 'create', '--tenant', 'shop', '--principal', 'sam'];

describe('ambit key', () => {
  test('shows a key once, and keeps its hash', async () => {
    const ran = await ambit(sam, { cwd });
    expect(ran.status).toBe(0);
    expect(ran.out).toMatch(/^ambit_[0-9a-f]{16}_[\w-]{43}\n$/);
    const secret = ran.out.trim().split('_').slice(2).join('_');
    expect(ran.err).not.toContain(secret);
    expect(readFileSync(join(cwd, '.ambit/keys.json'), 'utf8')).not.toContain(secret);
    expect((await ambit(['key', 'list', '--json'], { cwd })).out).not.toContain(secret);
  });

  test('saves a key for --as, readable by its owner alone, and shows it to nobody', async () => {
    const ran = await ambit([...sam, '--save', 'sam'], { cwd });
    expect(ran).toMatchObject({ status: 0, out: '' });
    const file = join(cwd, '.ambit/profiles/sam');
    const token = readFileSync(file, 'utf8').trim();
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(ran.err).not.toContain(token);

    await using server = await playing((response) => json(response, { products: [] }));
    await ambit(['products', '--as', 'sam', '--server', server.url], { cwd, env: { AMBIT_TOKEN: 'another' } });
    expect(server.heard[0]?.headers.authorization).toBe(`Bearer ${token}`);
  });

  test('does not write over a saved key, and makes none in its place', async () => {
    await ambit([...sam, '--save', 'sam'], { cwd });
    const before = readFileSync(join(cwd, '.ambit/keys.json'), 'utf8');
    expect(await ambit([...sam, '--save', 'sam'], { cwd })).toMatchObject({ status: 1, out: '' });
    expect(readFileSync(join(cwd, '.ambit/keys.json'), 'utf8')).toBe(before);
  });

  test('a saved key that others can read is not used', async () => {
    await ambit([...sam, '--save', 'sam'], { cwd });
    const file = join(cwd, '.ambit/profiles/sam');
    writeFileSync(file, readFileSync(file));
    const { chmodSync } = await import('node:fs');
    chmodSync(file, 0o644);
    await using server = await playing((response) => json(response, { products: [] }));
    const ran = await ambit(['products', '--as', 'sam', '--server', server.url], { cwd });
    expect(ran).toMatchObject({ status: 2, out: '' });
    expect(ran.err).toContain(`hint: chmod 600 ${file}`);
    expect(server.heard).toEqual([]);
  });

  test('keeps what was said of the subject', async () => {
    const more = [
      '--kind',
      'agent',
      '--on-behalf-of',
      'shop/ann',
      '--role',
      'b',
      '--role',
      'a',
      '--claim',
      'region=north',
      '--claim',
      'level=3',
      '--expires',
      '2030-01-31',
    ];
    await ambit([...sam, ...more], { cwd });
    const [key] = JSON.parse((await ambit(['key', 'list', '--json'], { cwd })).out) as unknown[];
    expect(key).toMatchObject({
      tenant: 'shop',
      principal: 'sam',
      kind: 'agent',
      roles: ['a', 'b'],
      claims: { region: 'north', level: 3 },
      onBehalfOf: { tenant: 'shop', principal: 'ann' },
      expires: '2030-01-31T00:00:00.000Z',
    });
  });

  test('revokes one key and no other', async () => {
    await ambit(sam, { cwd });
    await ambit(sam, { cwd });
    const ids = async () =>
      (JSON.parse((await ambit(['key', 'list', '--json'], { cwd })).out) as { id: string }[]).map(({ id }) => id);
    const [first = '', second = ''] = await ids();
    expect(await ambit(['key', 'revoke', first], { cwd })).toMatchObject({ status: 0, out: '' });
    expect(await ids()).toEqual([second]);
    expect(await ambit(['key', 'revoke', first], { cwd })).toMatchObject({ status: 1 });
  });

  test.each([
    [['key', 'create', '--tenant', 'shop']],
    [[...sam, '--kind', 'robot']],
    [[...sam, '--kind', 'agent']],
    [[...sam, '--expires', 'never']],
    [[...sam, '--claim', 'region']],
    [[...sam, '--on-behalf-of', 'ann']],
    [[...sam, '--save', '../sam']],
  ])('a wrong command line leaves nothing behind: %j', async (words) => {
    expect(await ambit(words, { cwd })).toMatchObject({ status: 2, out: '' });
    expect(readdirSync(cwd)).toEqual([]);
  });
});

describe('ambit products', () => {
  const product = {
    name: 'flights',
    version: '1.0.0',
    description: 'Flights',
    purposes: [
      { name: 'research', description: '' },
      { name: 'audit', description: '' },
    ],
  };

  test('lists what may be opened', async () => {
    await using server = await playing((response) => json(response, { products: [product] }));
    const ran = await ambit(['products', '--server', server.url], { cwd });
    expect(ran).toEqual({
      status: 0,
      out: 'product  version  purposes         description\n-------  -------  ---------------  -----------\nflights  1.0.0    research, audit  Flights\n',
      err: '',
    });
  });

  test('asks for one with its purpose', async () => {
    await using server = await playing((response) =>
      problem(response, 404, { detail: 'no product `x`', code: 'product_unknown' }),
    );
    const ran = await ambit(['products', 'x', '--purpose', 'audit', '--server', server.url], { cwd });
    expect(server.heard).toMatchObject([
      { method: 'GET', url: '/v1/products/x', headers: { 'ambit-purpose': 'audit' } },
    ]);
    expect(ran).toEqual({ status: 1, out: '', err: 'error: no product `x` [product_unknown]\n' });
  });
});

describe('ambit session', () => {
  const listed = [
    {
      session: 'ses_2',
      at: '2026-11-24T01:02:03.000004Z',
      product: 'flights',
      purpose: 'research',
      status: 'completed',
      rows: 5,
    },
  ];

  test('shows a page, or everything as JSON', async () => {
    await using server = await playing((response) => json(response, evidence));
    const page = await ambit(['session', 'show', 'ses_1', '--server', server.url], { cwd });
    expect(page).toMatchObject({ status: 0, err: '' });
    expect(page.out).toMatch(/^Session ses_1: completed\n/);
    const whole = await ambit(['session', 'show', 'ses_1', '--json', '--server', server.url], { cwd });
    expect(JSON.parse(whole.out)).toEqual(evidence);
    expect(server.heard.map(({ url }) => url)).toEqual(['/v1/sessions/ses_1', '/v1/sessions/ses_1']);
  });

  test('finds the last one', async () => {
    await using server = await playing((response, { url }) =>
      json(response, url === '/v1/sessions' ? { sessions: listed } : evidence),
    );
    await ambit(['session', 'show', '--last', '--server', server.url], { cwd });
    expect(server.heard.map(({ url }) => url)).toEqual(['/v1/sessions', '/v1/sessions/ses_2']);
  });

  test('says so when there is none', async () => {
    await using server = await playing((response) => json(response, { sessions: [] }));
    const ran = await ambit(['session', 'show', '--last', '--server', server.url], { cwd });
    expect(ran).toMatchObject({ status: 1, out: '' });
    expect(ran.err).toContain('hint: ');
  });

  test('lists', async () => {
    await using server = await playing((response) => json(response, { sessions: listed }));
    const ran = await ambit(['session', 'list', '--server', server.url], { cwd });
    expect(ran.out.split('\n')[2]).toBe('ses_2    2026-11-24T01:02:03  flights  research  completed  5');
  });

  test('explain is its name', async () => {
    await using server = await playing((response) => json(response, evidence));
    const page = await ambit(['session', 'explain', 'ses_1', '--server', server.url], { cwd });
    expect(page).toMatchObject({ status: 0, err: '' });
    expect(page.out).toMatch(/^Session ses_1: completed\n/);
  });

  test.each([
    [['replay']],
    [['replay', 'ses_1', '--against', 'flights.yaml']],
    [['replay', 'ses_1', '--since', '2026-03-01']],
    [['replay', '--against', 'flights.yaml', '--since', 'march']],
    [['session', 'explain', '--last', '--log', '.']],
    [['session', 'explain', 'ses_1', '--log', 'nowhere']],
  ])('%j cannot be done', async (words) => {
    expect(await ambit(words, { cwd })).toMatchObject({ status: 2, out: '' });
  });

  test.each([[['session', 'show']], [['session', 'show', 'ses_1', '--last']], [['session']]])(
    '%j is not enough',
    async (words) => {
      expect(await ambit(words, { cwd })).toMatchObject({ status: 2, out: '' });
    },
  );
});

describe('ambit serve and validate', () => {
  test.each([
    ['serve', 'nowhere'],
    ['validate', 'nowhere'],
    ['validate', '--environment', 'nowhere.yaml'],
    ['serve', '.'],
  ])('%s %s', async (...words) => {
    const ran = await ambit(
      words.map((word) => (word === '.' ? cwd : word)),
      { cwd },
    );
    expect(ran).toMatchObject({ status: 2, out: '' });
    expect(ran.err).toMatch(/^error: .+\nhint: .+\n$/);
  });
});
