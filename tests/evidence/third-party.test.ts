import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLog } from '@ambit/evidence';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { root } from '../server.ts';
import { signedBy, startWitness } from '../witness.ts';

// Somebody else's implementation of the same standards reads the log: signed-note, tlog-checkpoint, tlog-tiles.

let folder: string;
let key: string;
let receipt: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ambit-third-party-'));
  receipt = `${folder}.receipt`;
  const made = await openLog({ folder, ambit: '0.1.0' });
  await made.close();
  const witness = await startWitness();
  witness.trusts.add(made.key);
  const log = await openLog({ folder, ambit: '0.1.0', witnesses: [witness] });
  const { seq } = await log.append(intent);
  await log.append({ ...outcome, intent: seq });
  writeFileSync(receipt, JSON.stringify(await log.receipt('s1')));
  // More than 256 times 256: a tile of the third level.
  for (let written = 0; written < 66_000; written += 1_000) {
    await Promise.all(Array.from({ length: 1_000 }, (_, at) => log.append({ ...refused, request: `${written + at}` })));
  }
  ({ key } = log);
  await log.close();
  await witness.close();
  // It reads a checkpoint with the signature of a witness too.
  expect(signedBy(readFileSync(join(folder, 'checkpoint'), 'utf8'), witness.key)).toBe(true);
}, 60_000);
afterAll(() => {
  for (const path of [folder, `${folder}.key`, receipt]) rmSync(path, { recursive: true });
});

const nothing = { product: null, fingerprint: null, subject: {}, purpose: null, decisions: [] };
const refused = {
  type: 'request.refused',
  ...nothing,
  code: 'purpose_required',
  message: 'a purpose is required',
} as const;
const statement = { kind: 'sql', name: null, sql: 'SELECT 1', digest: 'sha256:', parameters: {} } as const;
const about = { product: 'flights', version: '1.0.0', environment: 'test', fingerprint: 'sha256:', grant: 'sha256:' };
const asked = { request: 'r', subject: {}, purpose: 'operations', scope: 'request', format: 'json', limits: {} };
const intent = {
  type: 'session.intent',
  session: 's1',
  ...about,
  ...asked,
  statement,
  credentials: {},
  traceparent: null,
} as const;
const ended = { status: 'completed', error: null, rows: 0, bytes: 0, engine: null, steps: {} } as const;
const outcome = { type: 'session.outcome', session: 's1', ...ended } as const;

/** What it says, and its exit status. */
function check(...words: readonly string[]): Promise<{ readonly code: number; readonly text: string }> {
  const command = ['run', '--quiet', '--locked', '-p', 'ambit-third-party', '--', ...words];
  return new Promise((done) => {
    execFile('cargo', command, { cwd: root }, (error, out, err) =>
      done({ code: error === null ? 0 : Number(error.code), text: out + err }),
    );
  });
}

test('agrees with a log and a receipt', { timeout: 300_000 }, async () => {
  expect(await check(folder, key, receipt)).toEqual({ code: 0, text: '66006\n' });
});

test.each(['tile/0/100', 'tile/1/000', 'tile/entries/200', 'checkpoint'])(
  'finds what is changed in `%s`',
  { timeout: 60_000 },
  async (name) => {
    const path = join(folder, name);
    const whole = readFileSync(path);
    const changed = Buffer.from(whole);
    changed.writeUInt8(changed.readUInt8(50) ^ 1, 50);
    writeFileSync(path, changed);
    expect((await check(folder, key)).code).toBe(1);
    writeFileSync(path, whole);
  },
);

test('finds what is changed in a receipt', async () => {
  const whole = readFileSync(receipt, 'utf8');
  writeFileSync(receipt, whole.replace('session.intent', 'session.intenT'));
  expect((await check(folder, key, receipt)).code).toBe(1);
  writeFileSync(receipt, whole);
});
