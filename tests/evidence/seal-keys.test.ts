import { createHash } from 'node:crypto';
import { copyFileSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../exports/receiver.ts';
import { recordsOf, type SealedWorld, startSealed } from './sealed-world.ts';

// A key under which literals were sealed, from its first use to its end, with a server that runs and without one.

const SECRET = 'zqsecretword';
const SQL = `SELECT name, '${SECRET}' AS said FROM emp ORDER BY id`;

let world: SealedWorld;
let folder: string;
beforeAll(async () => {
  world = await startSealed();
  folder = mkdtempSync(join(tmpdir(), 'ambit-seal-keys-'));
}, 120_000);
afterAll(async () => {
  await world.close();
  rmSync(folder, { recursive: true, force: true });
});

const log = (): string => join(world.server.folder, '.ambit/evidence');
const seals = (): string => join(world.server.folder, '.ambit/evidence.seals');
const keys = (): readonly string[] => readdirSync(seals()).filter((name) => name.endsWith('.key'));
const month = (): string => new Date().toISOString().slice(0, 7);
const environment = (): readonly string[] => ['--environment', join(world.server.folder, 'environment.yaml')];

async function replayed(session: string): Promise<{ readonly verdict: string; readonly reason: string }> {
  const answer = await world.server.as('olga', `/v1/sessions/${session}/replay`, { method: 'POST' });
  return (await answer.json()) as { verdict: string; reason: string };
}

async function explained(session: string): Promise<string> {
  const { code, out, err } = await world.ambit(['session', 'explain', session], 'olga');
  expect(code, err).toBe(0);
  return out;
}

test('while its key is there, a session is explained and replayed as it was', async () => {
  const { session } = await world.ask({ sql: SQL });
  const failed = await world.ask({ sql: `SELECT CAST(concat('${SECRET}', name) AS BIGINT) FROM emp` });
  const named = await world.ask({ parameters: { name: SECRET } }, 'queries/by-name');
  expect(await explained(session)).toContain(SQL);
  expect(await explained(session)).toMatch(/sealed under key [0-9-]{8}[0-9a-f]{8}, which is there/);
  expect(await explained(failed.session)).toMatch(new RegExp(`detail .*${SECRET}`, 's'));
  expect(await explained(named.session)).toContain(`name = "${SECRET}" (string)`);
  for (const one of [session, failed.session, named.session])
    expect(await replayed(one)).toMatchObject({ verdict: 'same' });
  const [key = ''] = keys();
  expect(keys()).toHaveLength(1);
  expect(key.startsWith(`${month()}-`)).toBe(true);
  expect(statSync(join(seals(), key)).mode & 0o777).toBe(0o600);
  expect(statSync(seals()).mode & 0o777).toBe(0o700);
});

test('the operator explains it from the log with the keys, and without them as the log shows it', async () => {
  const { session } = await world.ask({ sql: SQL });
  await world.ask({ sql: 'SELECT 1' });
  const words = ['session', 'explain', session, '--log', log()];
  expect((await world.ambit(words)).out).toContain(SQL);
  const without = await world.ambit([...words, '--seals', folder]);
  expect(without.out).not.toContain(SECRET);
  expect(without.out).toContain(`SELECT name, ? AS ? FROM emp ORDER BY id`);
  expect(without.out).toMatch(/which is not here/);
});

test('what was sealed and is changed since is named, and opens in no other record', async () => {
  const { session } = await world.ask({ sql: SQL });
  const other = await world.ask({ sql: `SELECT '${SECRET}'` });
  // Its second line is how many records it covers.
  await until(() => Number(readFileSync(join(log(), 'checkpoint'), 'utf8').split('\n')[1]) >= recordsOf(log()).length);
  const find = (of: string): string => {
    const intent = recordsOf(log()).find((record) => record['session'] === of && record['type'] === 'session.intent');
    return (intent?.['sealed'] as { text: string } | undefined)?.text ?? '';
  };
  const text = find(session);
  for (const changed of [
    `${text.slice(0, 80)}${text[80] === 'A' ? 'B' : 'A'}${text.slice(81)}`,
    find(other.session),
    'AAAA',
  ]) {
    const copy = mkdtempSync(join(folder, 'copy-'));
    cpSync(log(), copy, { recursive: true });
    const segment = join(copy, '00000001.segment');
    // As somebody would who knows how a line is made.
    const lines = readFileSync(segment, 'utf8').replace(text, changed).split('\n');
    const digested = lines.map((line) => {
      if (!line.includes(changed) || !line.includes('session.intent')) return line;
      return `${createHash('sha256').update(line.slice(65)).digest('hex')} ${line.slice(65)}`;
    });
    writeFileSync(segment, digested.join('\n'));
    const { code, out, err } = await world.ambit(['verify', copy]);
    expect(code, err).toBe(1);
    expect(out + err).toMatch(/changed/);
    const page = await world.ambit(['session', 'explain', session, '--log', copy, '--seals', seals()]);
    expect(page.out).toMatch(/what was sealed was changed since/);
    expect(page.out).not.toContain(SECRET);
  }
});

test('a key that is destroyed while the server runs is not used, nor made, again', async () => {
  const { session } = await world.ask({ sql: SQL });
  const running = world.ask({
    sql: `WITH RECURSIVE t AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM t WHERE i < 1000000000) SELECT count(*), '${SECRET}' FROM t`,
  });
  const [key = ''] = keys();
  await until(() =>
    recordsOf(log()).some(
      ({ type, statement }) => type === 'session.intent' && JSON.stringify(statement).includes('RECURSIVE'),
    ),
  );
  copyFileSync(join(seals(), key), join(folder, key));
  const listed = await world.ambit(['evidence', 'seal', 'list', ...environment()]);
  expect(listed.out).toContain(key.replace('.key', ''));
  const destroyed = await world.ambit(['evidence', 'seal', 'destroy', month(), ...environment()]);
  expect(destroyed.code, destroyed.err).toBe(0);
  expect(destroyed.out).toMatch(new RegExp(`^${key.replace('.key', '')} destroyed at ${month()}`));
  expect(destroyed.err).toMatch(/the server that runs writes it to the log/);
  expect(keys()).toEqual([]);
  const record = await until(() => recordsOf(log()).find(({ type }) => type === 'seal.destroyed'), 5_000);
  expect(record).toMatchObject({ key: key.replace('.key', ''), period: month() });

  // A session that began before ends under the key that nobody has any more.
  const late = (await running).session;
  for (const one of [session, late]) {
    const page = await explained(one);
    expect(page).not.toContain(SECRET);
    expect(page).toMatch(/sealed, key \S+ destroyed on \d{4}-/);
    const own = await (await world.server.as('ann', `/v1/sessions/${one}`)).json();
    expect(own).toMatchObject({ seal: { state: 'destroyed', destroyed: record['destroyed'] } });
  }
  const { verdict, reason } = await replayed(session);
  expect(verdict).toBe('input_gone');
  expect(reason).toMatch(/sealed, key \S+ destroyed on \d{4}-/);

  // Put back from a copy it is no key: neither for what is new, nor for what is old.
  copyFileSync(join(folder, key), join(seals(), key));
  const next = await world.ask({ sql: SQL });
  expect(await explained(session)).toMatch(/destroyed on/);
  rmSync(join(seals(), key));
  expect(await explained(next.session)).toContain(SQL);
  expect(await replayed(next.session)).toMatchObject({ verdict: 'same' });
  expect(keys()).toHaveLength(1);
  expect(keys()).not.toContain(key);
  expect((await world.ambit(['evidence', 'seal', 'destroy', '2001-01', ...environment()])).err).toMatch(
    /there is no key of/,
  );
}, 60_000);

test('keys do not lie where a copy of the log would have them', async () => {
  const file = join(world.server.folder, 'within.yaml');
  const text = readFileSync(join(world.server.folder, 'environment.yaml'), 'utf8');
  for (const within of ['.ambit/evidence', '.ambit/evidence/seals', '.ambit/../.ambit/evidence/..seals']) {
    writeFileSync(file, `${text}evidenceSeals: ${within}\n`);
    const { code, err } = await world.ambit(['evidence', 'seal', 'list', '--environment', file]);
    expect(code).toBe(1);
    expect(err).toMatch(/lie in the folder of the log/);
  }
  writeFileSync(file, `${text}evidenceSeals: elsewhere\nevidenceSealPeriod: day\n`);
  expect((await world.ambit(['evidence', 'seal', 'list', '--environment', file])).code).toBe(0);
});

test('without a server too, and the log says so; verifying needs no keys', async () => {
  const { session } = await world.ask({ sql: SQL });
  await world.server.stop();
  const [key = ''] = keys();
  const destroyed = await world.ambit(['evidence', 'seal', 'destroy', key.replace('.key', ''), ...environment()]);
  expect(destroyed.code, destroyed.err).toBe(0);
  expect(destroyed.err).toBe('');
  const said = recordsOf(log()).filter(({ type }) => type === 'seal.destroyed');
  expect(said.map(({ key: of }) => of)).toContain(key.replace('.key', ''));
  expect(said).toHaveLength(2);
  const page = await world.ambit(['session', 'explain', session, '--log', log()]);
  expect(page.out).toMatch(/sealed, key \S+ destroyed on/);
  expect(page.out).not.toContain(SECRET);
  const listed = await world.ambit(['evidence', 'seal', 'list', '--json', ...environment()]);
  const states = JSON.parse(listed.out) as { destroyed: { recorded: boolean } | null }[];
  expect(states.map(({ destroyed: one }) => one?.recorded)).toEqual([true, true]);
  rmSync(seals(), { recursive: true });
  const verified = await world.ambit(['verify', log()]);
  expect(verified.code, verified.out + verified.err).toBe(0);
});
