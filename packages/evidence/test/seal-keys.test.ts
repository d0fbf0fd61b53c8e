import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { EvidenceUnavailable } from '../src/errors.ts';
import { keyedDigest, seal, SealBroken, type SealKey, unseal } from '../src/seal.ts';
import { folderSealKeys, type SealKeys } from '../src/seal-keys.ts';

let folder: string;
let seals: string;
let keys: SealKeys;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] });
  at('2026-11-30T23:59:59Z');
  folder = mkdtempSync(join(tmpdir(), 'ambit-seals-'));
  seals = join(folder, 'seals');
  keys = folderSealKeys(seals);
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(folder, { recursive: true, force: true });
});

const at = (time: string): void => void vi.setSystemTime(new Date(time));

test('a month has one key, whoever asks for it and however many at once', async () => {
  const all = await Promise.all(Array.from({ length: 20 }, () => keys.current()));
  const again = await folderSealKeys(seals).current();
  expect(new Set([...all, again].map(({ id, secret }) => `${id} ${secret.toString('hex')}`)).size).toBe(1);
  expect(again.id).toMatch(/^2026-11-[0-9a-f]{8}$/);
  expect(again.secret).toHaveLength(32);
  expect(readdirSync(seals)).toEqual([`${again.id}.key`]);
});

test('two months have two keys, and one goes without the other', async () => {
  const november = await keys.current();
  at('2026-12-01T00:00:00Z');
  const december = await keys.current();
  expect(december.id).toMatch(/^2026-12-/);
  const sealed = [november, december].map((key) => seal(key, 'here', `of ${key.id}`));
  expect((await keys.destroy('2026-11')).map(({ id }) => id)).toEqual([november.id]);
  expect(await keys.find(november.id)).toMatchObject({
    id: november.id,
    at: '2026-12-01T00:00:00.000Z',
    recorded: false,
  });
  const found = (await keys.find(december.id)) as SealKey;
  expect(unseal(found, 'here', sealed[1] as never).trimEnd()).toBe(`of ${december.id}`);
  expect(() => unseal({ ...found, id: november.id }, 'here', sealed[0] as never)).toThrow(SealBroken);
  // Once more destroys nothing.
  expect(await keys.destroy('2026-11')).toEqual([]);
  expect((await keys.list()).map(({ id, destroyed }) => [id, destroyed !== null])).toEqual([
    [november.id, true],
    [december.id, false],
  ]);
});

test('a year is all of its months, and no other period is meant by less than it is', async () => {
  const [first, second] = [await keys.current(), (at('2026-12-05T00:00:00Z'), await keys.current())];
  for (const other of ['2025', '202', '2026-1', '', '2026-11-', '..', first.id.slice(0, -1)])
    expect(await keys.destroy(other)).toEqual([]);
  expect((await keys.destroy('2026')).map(({ id }) => id)).toEqual([first.id, second.id]);
});

test('days and years, where an environment says so', async () => {
  expect((await folderSealKeys(seals, 'day').current()).id).toMatch(/^2026-11-30-[0-9a-f]{8}$/);
  expect((await folderSealKeys(seals, 'year').current()).id).toMatch(/^2026-[0-9a-f]{8}$/);
});

test('what another process destroyed is used no more', async () => {
  const first = await keys.current();
  await folderSealKeys(seals).destroy('2026-11');
  const second = await keys.current();
  expect(second.id).not.toBe(first.id);
  expect(second.secret.equals(first.secret)).toBe(false);
  await keys.recorded(first.id);
  // Another server of the same log may have been first.
  await keys.recorded(first.id);
  expect(await keys.find(first.id)).toMatchObject({ recorded: true });
  expect((await keys.current()).id).toBe(second.id);
});

test('a process that was killed between saying it and doing it has destroyed it all the same', async () => {
  const key = await keys.current();
  writeFileSync(join(seals, `${key.id}.destroyed`), '{"at":"2026-11-30T00:00:00.000Z"}\n');
  expect((await keys.current()).id).not.toBe(key.id);
  expect(await keys.find(key.id)).toMatchObject({ recorded: false });
  await keys.recorded(key.id);
  expect(readdirSync(seals)).not.toContain(`${key.id}.key`);
});

test('a key is looked for under no other name than an id', async () => {
  await keys.current();
  writeFileSync(join(folder, 'outside.key'), 'x');
  for (const id of ['../outside', '', '2026-11', 'x/2026-11-00000000']) expect(await keys.find(id)).toBeNull();
});

test('without a place for keys nothing is sealed: no evidence, no execution', async () => {
  writeFileSync(seals, 'a file is no folder');
  await expect(keys.current()).rejects.toThrow(EvidenceUnavailable);
  rmSync(seals);
  const key = await keys.current();
  writeFileSync(join(seals, `${key.id}.key`), 'ambit/seal/v1 AAAA\n');
  chmodSync(join(seals, `${key.id}.key`), 0o600);
  await expect(folderSealKeys(seals).current()).rejects.toThrow(EvidenceUnavailable);
});

test('a text opens as it was sealed, where it was sealed, under its key, or not at all', async () => {
  const key = await keys.current();
  const sealed = seal(key, 'session.intent one', 'SELECT 1');
  expect(unseal(key, 'session.intent one', sealed).trimEnd()).toBe('SELECT 1');
  expect(() => unseal(key, 'session.intent two', sealed)).toThrow(SealBroken);
  const bytes = Buffer.from(sealed.text, 'base64');
  for (let place = 0; place < bytes.length; place += 1) {
    const changed = Buffer.from(bytes);
    changed[place] = (changed[place] as number) ^ 1;
    expect(() => unseal(key, 'session.intent one', { ...sealed, text: changed.toString('base64') })).toThrow(
      SealBroken,
    );
  }
  for (const text of ['', 'AAAA', bytes.subarray(0, -1).toString('base64')])
    expect(() => unseal(key, 'session.intent one', { ...sealed, text })).toThrow(SealBroken);
});

test('neither the length of a text shows, nor that two are the same', async () => {
  const key = await keys.current();
  const [a, b, same] = ['x', 'y'.repeat(200), 'x'].map((text) => seal(key, 'here', text).text);
  expect(a).toHaveLength(b?.length ?? 0);
  expect(a).not.toBe(same);
  expect(keyedDigest(key, 'one', 'x')).toBe(keyedDigest(key, 'one', 'x'));
  expect(keyedDigest(key, 'two', 'x')).not.toBe(keyedDigest(key, 'one', 'x'));
  expect(keyedDigest({ ...key, secret: Buffer.alloc(32) }, 'one', 'x')).not.toBe(keyedDigest(key, 'one', 'x'));
});
