import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { type Json, openLog } from '@ambit/evidence';
import { authorize, type Subject } from '@ambit/policy';
import type { ReviewStatement } from '@ambit/review';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import type { Terminal } from '../src/index.ts';
import { loadContracts } from '../src/serving.ts';
import { ambit } from './player.ts';

// Owners with SSH keys, a repository, and the command: as a team has them. Needs git and ssh-keygen.

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const cwd = mkdtempSync(join(tmpdir(), 'ambit-review-'));
const keys = mkdtempSync(join(tmpdir(), 'ambit-keys-'));
afterAll(() => [cwd, keys].forEach((folder) => rmSync(folder, { recursive: true })));

const contract = join(cwd, 'shop/shop.yaml');
const environment = join(cwd, 'environments/production.yaml');
const reviews = join(cwd, 'shop/reviews/shop/production');

const key = (name: string): string => join(keys, name);
const listed = (name: string): string => `    ${name}: ${readFileSync(`${key(name)}.pub`, 'utf8').trim()}\n`;

interface Shop {
  readonly reviewers?: readonly string[];
  /** Null: it has none. */
  readonly mask?: string | null;
  readonly version?: string;
  readonly approvals?: string;
}

function contractOf({
  reviewers = ['ann', 'bo', 'cy'],
  mask = "'*'",
  version = '1.0.0',
  approvals = '{}',
}: Shop = {}): string {
  const masks = mask === null ? '{}' : `{ nobody: { table: orders, column: customer, with: "${mask}" } }`;
  return `apiVersion: ambit/v1
kind: DataProduct
name: shop
version: ${version}
tenant: north
owner:
  team: shop-data
  approvals: ${approvals}
  reviewers:
${reviewers.map(listed).join('')}purposes: { reporting: What was sold }
stores: { lake: { root: data } }
catalogs: { csv: { type: csv, store: lake } }
tables:
  orders: { catalog: csv, path: orders.csv, columns: { id: { type: bigint }, customer: { type: string } } }
policies: { masks: ${masks} }
`;
}

function git(...words: readonly string[]): string {
  return execFileSync('git', words, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
}

function commit(as: string, message: string): string {
  git('add', '-A');
  const who = ['-c', `user.name=${as}`, '-c', `user.email=${as}@example.org`];
  git(...who, 'commit', '-q', '-m', message);
  return git('rev-parse', 'HEAD');
}

const approve = (name: string, ...more: readonly string[]) =>
  ambit(
    ['review', 'approve', contract, '--environment', environment, '--ssh', key(name)].concat([
      '--reason',
      `${name} looked`,
      '--expires',
      '90d',
      '--yes',
      ...more,
    ]),
    { cwd },
  );
const status = (...more: readonly string[]) =>
  ambit(['review', 'status', contract, '--environment', environment, ...more], { cwd });
const check = (range: string, ...more: readonly string[]) =>
  ambit(['review', 'check', join(cwd, 'shop'), '--range', range, '--environment', environment, ...more], { cwd });

const testsOf = (seen: string): string => `apiVersion: ambit/v1
kind: PolicyTests
contract: shop.yaml
subjects: { pat: { roles: [buyer] } }
tests:
  nobody sees customers:
    as: pat
    purpose: reporting
    sql: SELECT customer FROM orders
    expect: { rows: [["${seen}"]] }
`;

/** What was signed, of the files that were written. */
function predicateIn(out: string) {
  const [file = ''] = out.split('\n').filter((line) => !line.includes('/boundaries/'));
  const { payload } = JSON.parse(readFileSync(join(cwd, file), 'utf8')) as { readonly payload: string };
  const { predicate } = JSON.parse(Buffer.from(payload, 'base64').toString('utf8')) as ReviewStatement;
  const { replay } = predicate;
  return { ...predicate, replay: { who: [], ...replay } };
}

/** A log in which somebody asked under the boundary of now. */
async function recordSessions(folder: string, sessions: number): Promise<void> {
  const err = new PassThrough();
  const terminal = { cwd, env: {}, out: err, err, errIsTerminal: false, outIsTerminal: false } as unknown as Terminal;
  const [product] = await loadContracts(terminal, [contract], environment);
  if (product === undefined) throw new Error('there is no product');
  const subject: Subject = {
    tenant: 'north',
    principal: 'pat',
    kind: 'user',
    roles: ['buyer'],
    claims: {},
    channel: 'http',
    onBehalfOf: null,
    authentication: { method: 'api-key', reference: 'k' },
  };
  const answer = authorize(product.policies, subject, 'reporting');
  if (!answer.allowed) throw new Error('the policy refuses');
  const { boundary, fingerprint } = product;
  const of = { product: 'shop', version: '1.0.0', environment: 'production', fingerprint };
  const log = await openLog({ folder, ambit: '0' });
  await log.ensureBoundary({ ...of, boundary: boundary as unknown as Json });
  await log.ensureGrant('g', answer.grant as unknown as Json);
  for (let at = 0; at < sessions; at += 1) {
    await log.append({
      type: 'session.intent',
      session: `s${at}`,
      request: `r${at}`,
      ...of,
      grant: 'g',
      subject: subject as unknown as Json,
      purpose: 'reporting',
      scope: 'request',
      statement: { kind: 'sql', name: null, sql: 'SELECT customer FROM orders', digest: 'd', parameters: {} },
      format: 'json',
      limits: {},
      credentials: {},
      traceparent: null,
    });
  }
  await log.close();
}

beforeAll(() => {
  for (const name of ['ann', 'bo', 'cy', 'eve']) {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', `${name}@example.org`, '-f', key(name)]);
  }
  mkdirSync(join(cwd, 'shop/data'), { recursive: true });
  mkdirSync(join(cwd, 'environments'));
  writeFileSync(join(cwd, 'shop/data/orders.csv'), 'id,customer\n1,Ann\n');
  writeFileSync(
    join(cwd, 'shop/shop.cedar'),
    '@id("all")\npermit (principal, action in [Action::"open", Action::"read"], resource);\n',
  );
  writeFileSync(contract, contractOf());
  writeFileSync(environment, 'apiVersion: ambit/v1\nkind: Environment\nname: production\n');
  git('init', '-q', '-b', 'main');
  git('config', 'user.email', 'dev@example.org');
  commit('dev', 'first');
});

describe('ambit review', () => {
  let founded = '';

  test('the first boundary waits for two of those it lists, and is approved by two', async () => {
    const waits = await status();
    expect(waits).toMatchObject({ status: 1 });
    expect(waits.out).toContain('shop 1.0.0 in production: nothing to ');
    expect(waits.out).toContain('waits for 2 of ann, bo, cy:');
    const one = await approve('ann');
    expect(one).toMatchObject({ status: 0 });
    expect(one.err).toContain('written by dev@example.org');
    expect(one.err).toContain('1 more to approve');
    expect((await approve('ann')).err).toContain('1 more to approve');
    expect((await status()).status).toBe(1);
    expect((await approve('cy')).err).toContain('approved: commit both files');
    expect(await status()).toMatchObject({ status: 0 });
    expect(readdirSync(reviews).toSorted()).toEqual([
      'boundaries',
      expect.stringMatching(/^nothing-[0-9a-f]{12}-ann\.json$/),
      expect.stringMatching(/^nothing-[0-9a-f]{12}-cy\.json$/),
    ]);
    founded = commit('dev', 'approved');
  });

  test('nobody is asked where nobody sits, and nothing is signed', async () => {
    const words = ['review', 'approve', contract, '--environment', environment, '--ssh', key('bo')];
    const more = ['--reason', 'x', '--expires', '90d'];
    expect(await ambit([...words, ...more], { cwd })).toMatchObject({ status: 2, out: '' });
    const said = { question: async () => 'no' };
    expect(await ambit([...words, ...more], { cwd, ...said })).toMatchObject({ status: 1, out: '' });
    expect(readdirSync(reviews)).toHaveLength(3);
    expect(await approve('eve')).toMatchObject({ status: 1, out: '' });
    expect(await approve('bo', '--expires', '2020-01-01')).toMatchObject({ status: 2, out: '' });
    expect(await approve('bo', '--key', key('bo'))).toMatchObject({ status: 2, out: '' });
  });

  test('a change fails the check until people approve it who did not write it', async () => {
    writeFileSync(contract, contractOf({ mask: 'upper(value)' }));
    const changed = commit('bo', 'show customers');
    const failed = await check(`${founded}..${changed}`);
    expect(failed).toMatchObject({ status: 1 });
    expect(failed.out).toContain('1 changed, **1 not approved**');
    expect(failed.out).toContain('| shop 1.0.0 | production | widens | 0 of 2 | missing |');
    expect(failed.out).toContain('- written by bo@example.org');
    expect(failed.out).toContain('waits for 2 of ann, cy');

    const own = await approve('bo');
    expect(own).toMatchObject({ status: 1, out: '' });
    expect(own.err).toContain('bo wrote the change');

    await approve('ann');
    await approve('cy');
    const approved = commit('cy', 'approved');
    const passed = await check(`${founded}..${approved}`);
    expect(passed).toMatchObject({ status: 0 });
    expect(passed.out).toContain('1 changed, all approved');
    expect(JSON.parse((await check(`${founded}..${approved}`, '--json')).out)).toMatchObject({
      changed: [{ state: 'approved', product: 'shop', covered: true, authors: ['bo@example.org'] }],
    });
    expect((await check(`${changed}..${changed}`)).out).toContain('No boundary changes');
    founded = approved;
  });

  test('who is listed by a change does not approve it', async () => {
    writeFileSync(contract, contractOf({ mask: 'upper(value)', reviewers: ['ann', 'bo', 'cy', 'eve'] }));
    const refused = await approve('eve');
    expect(refused).toMatchObject({ status: 1, out: '' });
    expect(refused.err).toContain('the change itself lists this key: it was not listed before');
    git('checkout', '-q', contract);
  });

  test('a product does not begin anew with reviewers of its own', async () => {
    writeFileSync(contract, contractOf({ mask: 'value', reviewers: ['ann', 'eve'] }));
    for (const name of ['ann', 'eve']) expect(await approve(name, '--from', 'nothing')).toMatchObject({ status: 0 });
    // The files alone would do, where nobody remembers.
    expect(await status()).toMatchObject({ status: 0 });
    const taken = commit('dev', 'taken over');
    const failed = await check(`${founded}..${taken}`);
    expect(failed).toMatchObject({ status: 1 });
    expect(failed.out).toContain('a product begins once');
    git('reset', '-q', '--hard', founded);
  });

  test.each([
    ['another name', 'apiVersion: ambit/v1\nkind: Environment\nname: staging\n'],
    ['no file of its own', null],
  ])('an environment does not put review aside: %s', async (_, text) => {
    if (text === null) rmSync(environment);
    else writeFileSync(environment, text);
    writeFileSync(contract, contractOf({ mask: 'value' }));
    const failed = await check(`${founded}..${commit('dev', 'no reviews here')}`);
    expect(failed.status).toBeGreaterThan(0);
    if (text !== null) expect(failed.out).toContain('production.yaml no longer serves only what owners approved');
    git('reset', '-q', '--hard', founded);
  });

  test('a base does not put review aside either', async () => {
    const own = 'apiVersion: ambit/v1\nkind: Environment\nname: staging\nextends: base.yaml\n';
    const base = 'apiVersion: ambit/v1\nkind: EnvironmentBase\n';
    writeFileSync(environment, own);
    writeFileSync(join(cwd, 'environments/base.yaml'), `${base}review: required\n`);
    const required = commit('dev', 'by its base');
    writeFileSync(join(cwd, 'environments/base.yaml'), base);
    const failed = await check(`${required}..${commit('dev', 'and not any more')}`);
    expect(failed.err).toContain('nobody would have to approve what is served');
    git('reset', '-q', '--hard', founded);
  });

  test('whose word is taken for who asks is approved as everything else', async () => {
    const issuer = (more: string): string =>
      `identity: { jwt: [{ issuer: "https://other.example", audience: ambit, jwks: keys.json, algorithms: [EdDSA], tenant: north${more} }] }\n`;
    writeFileSync(environment, `apiVersion: ambit/v1\nkind: Environment\nname: production\n${issuer('')}`);
    const failed = await check(`${founded}..${commit('dev', 'another issuer')}`);
    expect(failed).toMatchObject({ status: 1 });
    expect(failed.out).toContain('| shop 1.0.0 | production | widens | 0 of 2 | missing |');
    expect(failed.out).toContain('its tokens are taken for whoever asks of tenant');
    git('reset', '-q', '--hard', founded);
  });

  test('versions side by side are each what they are: one that stays is unchanged, one that goes is told', async () => {
    const second = join(cwd, 'shop/shop-2.yaml');
    writeFileSync(second, contractOf({ version: '2.0.0' }).replace('policies: {', 'policies: { cedar: [shop.cedar],'));
    const two = commit('dev', 'a second version');
    const failed = await check(`${founded}..${two}`, '--json');
    expect(failed, failed.err).toMatchObject({ status: 1 });
    expect(failed.err).toContain('1 not approved');
    const told = JSON.parse(failed.out) as { changed: { version: string; state: string }[] };
    expect(told.changed.map(({ version, state }) => [version, state])).toEqual([
      ['2.0.0', 'missing'],
      ['1.0.0', 'unchanged'],
    ]);
    rmSync(second);
    const gone = JSON.parse((await check(`${two}..${commit('dev', 'and none again')}`, '--json')).out) as object;
    expect(gone).toMatchObject({ gone: ['shop 2.0.0 in production'], unguarded: [] });
    git('reset', '-q', '--hard', founded);
  });

  test('a revoked review does not count, and the check says so', async () => {
    const [file = ''] = readdirSync(reviews).filter((name) => /^[0-9a-f]{12}-.*-ann\.json$/.test(name));
    const words = ['review', 'revoke', join(reviews, file), '--reason', 'a mistake', '--yes', '--ssh'];
    expect(await ambit([...words, key('eve')], { cwd })).toMatchObject({ status: 1, out: '' });
    expect(await ambit([...words, key('bo')], { cwd })).toMatchObject({ status: 0 });
    const waits = await status();
    expect(waits).toMatchObject({ status: 1 });
    expect(waits.out).toContain('bo revoked it: a mistake [revoked]');
    const failed = await check(`${founded}..${commit('bo', 'revoked')}`);
    expect(failed).toMatchObject({ status: 1 });
  });

  test('status for programs says what is missing, and of whom: not of who wrote it', async () => {
    const [only] = JSON.parse((await status('--json')).out) as object[];
    expect(only).toMatchObject({ product: 'shop', required: true, covered: false, needed: 2, waitsFor: ['ann'] });
  });

  test('where the contract wants tests, nobody approves without, and what they said is signed', async () => {
    git('reset', '-q', '--hard', founded);
    const before = readdirSync(reviews);
    writeFileSync(contract, contractOf({ mask: "'-'", approvals: '{ tests: required }' }));
    const untested = await approve('ann');
    expect(untested).toMatchObject({ status: 2, out: '' });
    expect(untested.err).toContain('add --tests');
    expect(await approve('ann', '--tests')).toMatchObject({ status: 2, out: '' });

    writeFileSync(join(cwd, 'shop/shop.test.yaml'), testsOf('*'));
    const failing = await approve('ann', '--tests');
    expect(failing).toMatchObject({ status: 1, out: '' });
    expect(failing.err).toContain('FAIL  nobody sees customers');
    expect(failing.err).toContain('1 of 1 policy tests failed: nothing was signed');
    expect(readdirSync(reviews)).toEqual(before);

    writeFileSync(join(cwd, 'shop/shop.test.yaml'), testsOf('-'));
    const signed = await approve('ann', '--tests');
    expect(signed).toMatchObject({ status: 0 });
    expect(signed.err).toContain('policy tests: 1 passed against');
    const { to, tests } = predicateIn(signed.out);
    expect(tests).toEqual({ digest: expect.stringMatching(/^sha256:/), fingerprint: to, passed: 1, failed: 0 });
    expect(await approve('cy', '--tests', join(cwd, 'shop/shop.test.yaml'))).toMatchObject({ status: 0 });
    const passed = await check(`${founded}..${commit('dev', 'tested')}`);
    expect(passed).toMatchObject({ status: 0 });
    expect(passed.out).toMatch(/approved by \*\*ann\*\* until \S+ \(1 policy test passed\): ann looked/);
  });

  test('what a change does to recorded sessions is shown, signed, and told by the check, without names', async () => {
    git('reset', '-q', '--hard', founded);
    const log = join(keys, 'evidence');
    await recordSessions(log, 2);
    expect(await approve('ann', '--replay', join(keys, 'nowhere'))).toMatchObject({ status: 2, out: '' });
    writeFileSync(contract, contractOf({ mask: null }));
    const signed = await approve('ann', '--replay', log);
    expect(signed).toMatchObject({ status: 0 });
    expect(signed.err).toContain('Would see more (1)');
    expect(signed.err).toContain('pat of north');
    const { replay } = predicateIn(signed.out);
    expect(replay).toMatchObject({ sessions: 2, gain: 2, lose: 0, effects: { more: 2, same: 0 } });
    expect(replay.who).toEqual([{ roles: ['buyer'], purpose: 'reporting', effect: 'more', subjects: 1, sessions: 2 }]);
    expect(JSON.stringify(replay)).not.toContain('pat');

    const changed = commit('dev', 'customers are shown');
    const told = await check(`${founded}..${changed}`, '--replay', log);
    expect(told).toMatchObject({ status: 1 });
    expect(told.out).toContain('2 recorded requests against it: 2 gain, 0 lose, 0 see otherwise, 0 see the same.');
    expect(told.out).toContain('| buyer | reporting | 2 | 1 | would see more |');
    expect(told.out).not.toContain('pat');
    expect((await approve('cy', '--replay', log)).err).toContain('approved: commit both files');
    const passed = await check(`${founded}..${commit('dev', 'approved')}`);
    expect(passed).toMatchObject({ status: 0 });
    expect(passed.out).toContain('(of 2 recorded requests 2 gain, 0 lose, 0 see otherwise, 0 see the same)');
    expect(passed.out).not.toContain('against it:');
  });
});
