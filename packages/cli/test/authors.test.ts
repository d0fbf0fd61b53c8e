import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';

import { ambit } from './player.ts';

// Who wrote a change, as git knows it and as somebody would like it not to. Needs git and ssh-keygen.

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const cwd = mkdtempSync(join(tmpdir(), 'ambit-authors-'));
const keys = mkdtempSync(join(tmpdir(), 'ambit-keys-'));
afterAll(() => [cwd, keys].forEach((folder) => rmSync(folder, { recursive: true })));

const contract = join(cwd, 'shop.yaml');
const key = (name: string): string => join(keys, name);
let founded = '';

const contractOf = (purpose: string): string => `apiVersion: ambit/v1
kind: DataProduct
name: shop
version: 1.0.0
tenant: north
owner:
  team: shop-data
  reviewers:
${['ann', 'bo', 'cy'].map((name) => `    ${name}: ${readFileSync(`${key(name)}.pub`, 'utf8').trim()}\n`).join('')}purposes: { reporting: ${purpose} }
stores: { lake: { root: . } }
catalogs: { csv: { type: csv, store: lake } }
tables:
  orders: { catalog: csv, path: orders.csv, columns: { id: { type: bigint } } }
`;

function git(...words: readonly string[]): string {
  return execFileSync('git', words, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
}

/** Stores an object as it is, well-formed or not. */
function stored(type: 'blob' | 'tree' | 'commit', input: string | Buffer): string {
  const words = ['hash-object', '-t', type, '-w', '--stdin', '--literally'];
  return execFileSync('git', words, { cwd, input }).toString().trim();
}

const check = (to: string) =>
  ambit(['review', 'check', cwd, '--range', `${founded}..${to}`, '--environment', join(cwd, 'production.yaml')], {
    cwd,
  });

beforeAll(() => {
  for (const name of ['ann', 'bo', 'cy'])
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', `${name}@example.org`, '-f', key(name)]);
  writeFileSync(join(cwd, 'shop.cedar'), '@id("all")\npermit (principal, action == Action::"open", resource);\n');
  writeFileSync(join(cwd, 'production.yaml'), 'apiVersion: ambit/v1\nkind: Environment\nname: production\n');
  writeFileSync(contract, contractOf('What was sold'));
  git('init', '-q', '-b', 'main');
  git('config', 'user.email', 'x@example.org');
  git('config', 'user.name', 'x');
  git('add', '-A');
  git('commit', '-q', '-m', 'first');
  founded = git('rev-parse', 'HEAD');
});

test('whoever signed a commit with a listed key, or is named in one, wrote it under any address', async () => {
  writeFileSync(contract, contractOf('What was bought'));
  const message = 'bought\n\nCo-Authored-By: Cy <CY@example.org>';
  const how = ['-c', 'gpg.format=ssh', '-c', `user.signingkey=${key('bo')}`];
  git(...how, 'commit', '-q', '-a', '-S', '-m', message, '--author=Else <else@example.com>');
  const failed = await check('HEAD');
  expect(failed.out).toContain('- written by bo@example.org, cy@example.org, else@example.com, x@example.org');
  for (const name of ['bo', 'cy']) {
    const words = ['review', 'approve', contract, '--environment', join(cwd, 'production.yaml'), '--ssh', key(name)];
    const refused = await ambit([...words, '--reason', 'mine', '--expires', '9d', '--yes'], { cwd });
    expect(refused).toMatchObject({ status: 1, out: '' });
    expect(refused.err).toContain(`${name} wrote the change`);
  }
  // A signature of other words is nobody's: whoever copies one keeps nobody from approving.
  const text = execFileSync('git', ['cat-file', 'commit', 'HEAD'], { cwd, encoding: 'utf8' });
  expect(text).toContain('BEGIN SSH SIGNATURE');
  const forged = await check(stored('commit', text.replace('bought\n', 'sold\n')));
  expect(forged.out).toContain('- written by cy@example.org, else@example.com, x@example.org');
});

test('a tree that leads out of its commit is not read', async () => {
  const entry = (mode: string, name: string, object: string): Buffer =>
    Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.from(object, 'hex')]);
  const inner = stored('tree', entry('100644', 'planted.yaml', stored('blob', 'x: 1\n')));
  const bad = git('commit-tree', '-m', 'out', '-p', founded, stored('tree', entry('40000', '..', inner)));
  const refused = await check(bad);
  expect(refused).toMatchObject({ status: 1, out: '' });
  expect(refused.err).toContain('leads out of it');
});
