import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseCheckpoint, provesConsistency, verifyLog } from '@ambit/evidence';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { root, type Server, startServer } from '../server.ts';
import { signedBy, startWitness } from '../witness.ts';

// A consumer keeps a receipt; an auditor checks a copy of the log, with the same command, without the server.

const subjects = {
  ada: { tenant: 'mobility', roles: ['auditor'] },
  eve: { tenant: 'elsewhere', roles: ['auditor'] },
};

let server: Server<keyof typeof subjects>;
let kept: string;
beforeAll(async () => {
  server = await startServer({ paths: [join(root, 'examples/flights/flights.yaml')], environment, subjects });
  kept = mkdtempSync(join(tmpdir(), 'ambit-receipt-'));
}, 60_000);
afterAll(async () => {
  await server.close();
  rmSync(kept, { recursive: true });
});

const environment = `stores: { lake: { root: ${join(root, 'node_modules/vega-datasets/data')} } }\n`;
const log = (): string => join(server.folder, '.ambit/evidence');

/** Runs the command line, without a server or a credential of its own unless they are given. */
function ambit(
  words: readonly string[],
  env: Record<string, string> = {},
  where: { readonly cwd?: string } = {},
): Promise<{ code: number; text: string }> {
  const command = [join(root, 'packages/cli/bin/ambit.js'), ...words];
  return new Promise((done) => {
    execFile(process.execPath, command, { ...where, env: { PATH: process.env['PATH'], ...env } }, (error, out, err) =>
      done({ code: error === null ? 0 : Number(error.code), text: out + err }),
    );
  });
}

async function ask(name: keyof typeof subjects): Promise<string> {
  const body = { sql: 'SELECT count(*) AS n FROM airports', purpose: 'safety-audit' };
  const answer = await server.as(name, '/v1/products/flights/query', { body });
  await answer.text();
  return answer.headers.get('ambit-session') ?? '';
}

/** A copy of the log, when a checkpoint covers all of it. */
async function copied(): Promise<string> {
  while ((await verifyLog(log())).unsigned > 0) await sleep(50);
  const copy = mkdtempSync(join(kept, 'copy-'));
  cpSync(log(), copy, { recursive: true });
  return copy;
}

test('a receipt proves that its session is in the log, today and after a restart', async () => {
  const session = await ask('ada');
  const asAda = { AMBIT_SERVER: server.url, AMBIT_TOKEN: server.token('ada') };
  const got = await ambit(['receipt', 'get', session], asAda);
  expect(got.code, got.text).toBe(0);
  const file = join(kept, 'receipt.json');
  writeFileSync(file, got.text);
  const key = / signed by (\S+)/.exec(server.said())?.[1] ?? '';
  const alone = await ambit(['receipt', 'verify', file, '--key', key]);
  expect(alone).toMatchObject({ code: 0, text: expect.stringContaining(`session ${session} is in the log`) });
  server = await server.restart();
  await ask('ada');
  const copy = await copied();
  const grown = await ambit(['receipt', 'verify', file, '--key', key, '--log', copy]);
  expect(grown).toMatchObject({ code: 0, text: expect.stringContaining('begins with it') });
  const audited = await ambit(['verify', copy, '--key', key, '--receipt', file]);
  expect(audited).toMatchObject({ code: 0, text: expect.stringContaining(`intact: ${copy}`) });
  expect(audited.text).toContain('the key that you gave');
});

test('a receipt is told only to whom the session is told', async () => {
  const session = await ask('ada');
  expect((await server.as('ada', `/v1/sessions/${session}/receipt`)).status).toBe(200);
  expect((await server.as('eve', `/v1/sessions/${session}/receipt`)).status).toBe(404);
  expect((await server.as(null, `/v1/sessions/${session}/receipt`)).status).toBe(401);
  expect((await server.as(null, '/v1/evidence/checkpoint')).status).toBe(401);
});

test('whoever keeps a checkpoint sees that the log only grew', async () => {
  const head = async (): Promise<string> =>
    ((await (await server.as('eve', '/v1/evidence/checkpoint')).json()) as { checkpoint: string }).checkpoint;
  const before = parseCheckpoint(await head());
  await ask('ada');
  const answer = await server.as('eve', `/v1/evidence/consistency?from=${before?.size}`);
  const { checkpoint, proof } = (await answer.json()) as { checkpoint: string; proof: string[] };
  const hashes = proof.map((hash) => Buffer.from(hash, 'base64'));
  const after = parseCheckpoint(checkpoint);
  if (before === null || after === null) throw new Error('both are checkpoints');
  expect(after.size).toBeGreaterThan(before.size);
  expect(provesConsistency(before, after, hashes)).toBe(true);
  expect((await server.as('eve', '/v1/evidence/consistency?from=123456789')).status).toBe(404);
  expect((await server.as('eve', '/v1/evidence/consistency?from=x')).status).toBe(400);
});

test('a witness cosigns the log of a server, and whoever trusts the witness sees how far', async () => {
  const witness = await startWitness();
  const cosigning = await startServer({
    paths: [join(root, 'examples/flights/flights.yaml')],
    environment: `${environment}witnesses: [{ url: '${witness.url}', key: '${witness.key}' }]\n`,
    subjects,
  });
  try {
    const key = / signed by (\S+)/.exec(cosigning.said())?.[1] ?? '';
    // Told at once, and nothing fails for it: the witness does not know the log yet.
    const body = { sql: 'SELECT count(*) AS n FROM airports', purpose: 'safety-audit' };
    const answer = await cosigning.as('ada', '/v1/products/flights/query', { body });
    expect(answer.status).toBe(200);
    await answer.text();
    expect(cosigning.said()).toContain(
      'evidence: witness witness.example/w1 does not cosign: it does not know this log',
    );
    witness.trusts.add(key);
    const cosigned = async (): Promise<string | null> =>
      ((await (await cosigning.as('ada', '/v1/evidence/checkpoint')).json()) as { cosigned: string | null }).cosigned;
    while ((await cosigned()) === null) await sleep(100);
    expect(signedBy((await cosigned()) ?? '', witness.key)).toBe(true);
    const session = answer.headers.get('ambit-session') ?? '';
    const file = join(kept, 'cosigned.json');
    writeFileSync(file, await (await cosigning.as('ada', `/v1/sessions/${session}/receipt`)).text());
    const mine = await ambit(['receipt', 'verify', file, '--key', key, '--witness', witness.key]);
    expect(mine).toMatchObject({ code: 0, text: expect.stringContaining('cosigned by witness.example/w1') });
    const other = await startWitness('other.example');
    const not = await ambit(['receipt', 'verify', file, '--witness', other.key]);
    expect(not).toMatchObject({ code: 1, text: expect.stringContaining('not cosigned by other.example') });
    await cosigning.stop();
    const found = await ambit(['verify', join(cosigning.folder, '.ambit/evidence'), '--witness', witness.key]);
    expect(found.code, found.text).toBe(0);
    expect(found.text).toMatch(/cosigned {3}[0-9]+ records by witness.example\/w1 at 20/);
  } finally {
    await cosigning.close();
  }
}, 60_000);

test('a witness that cannot be checked keeps a server from starting', async () => {
  const witnesses = "witnesses: [{ url: 'http://127.0.0.1:1', key: 'w1' }]\n";
  const starting = startServer({
    paths: [join(root, 'examples/flights/flights.yaml')],
    environment: environment + witnesses,
    subjects,
  });
  await expect(starting).rejects.toThrow('`w1` is no verifier key of a witness');
});

test('a copy that was changed is told apart, by name and exit status', async () => {
  const copy = await copied();
  const first = join(copy, '00000001.segment');
  writeFileSync(first, readFileSync(first, 'utf8').replace('"purpose":"safety-audit"', '"purpose":"safety-aud1t"'));
  const found = await ambit(['verify', copy]);
  expect(found.code).toBe(1);
  expect(found.text).toMatch(/NOT INTACT[\s\S]*changed in segment 1, byte \d+: record \d+ is not what the tree holds/);
  const machine = await ambit(['verify', copy, '--json']);
  expect(machine.text).toContain('"kind": "changed"');
  expect((await ambit(['verify', join(kept, 'nothing')])).code).toBe(1);
});

test('a key is rotated and old segments are removed while no server runs, and the log still verifies', async () => {
  const key = / signed by (\S+)/.exec(server.said())?.[1] ?? '';
  for (let start = 0; start < 3; start += 1) {
    await ask('ada');
    server = await server.restart();
  }
  const mine = ['--environment', join(server.folder, 'environment.yaml')];
  const here = { cwd: server.folder };
  const running = await ambit(['evidence', 'rotate-key', ...mine], {}, here);
  expect(running).toMatchObject({ code: 1, text: expect.stringContaining('one server writes one log') });
  await server.stop();
  const rotated = await ambit(['evidence', 'rotate-key', ...mine], {}, here);
  expect(rotated.code, rotated.text).toBe(0);
  const pruned = await ambit(['evidence', 'prune', '--before', '2100-01-01', ...mine], {}, here);
  expect(pruned.text).toMatch(/^[1-9][0-9]* records removed$/m);
  expect((await ambit(['evidence', 'prune', '--before', 'soon', ...mine], {}, here)).code).toBe(2);
  server = await server.restart();
  const copy = await copied();
  const found = await ambit(['verify', copy, '--key', key]);
  expect(found.code, found.text).toBe(0);
  expect(found.text).toContain('removed');
  expect(found.text).toContain(rotated.text.trim());
});
