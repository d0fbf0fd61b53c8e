import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EvidenceDamaged, EvidenceKeyUnknown, openLog, verifyLog } from '@ambit/evidence';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startServer } from '../server.ts';
import { type Evidence, tableOf } from './oracles.ts';
import { startWorld, type World } from './world.ts';

// I. The evidence: no record is lost, changed or made up without somebody noticing, and none is not written.

let world: World;
let copies: string;
beforeAll(async () => {
  world = await startWorld('w');
  copies = mkdtempSync(join(tmpdir(), 'ambit-evidence-'));
  for (const sql of [
    'SELECT count(*) FROM emp',
    'SELECT * FROM payroll',
    'SELECT 1 / 0',
    'SELECT id FROM emp ORDER BY id',
  ]) {
    await world.ask(sql);
  }
  await world.ask({ sql: 'SELECT 1', purpose: 'nothing' });
  // A checkpoint of all that.
  while ((await verifyLog(folder())).unsigned > 0) await sleep(50);
});
afterAll(async () => {
  rmSync(copies, { recursive: true });
  await world.close();
});

const folder = (): string => join(world.server.folder, '.ambit/evidence');

/** A copy of the log, its first segment changed. The key stays where it is. */
function tampered(change: (log: Buffer) => Buffer): string {
  const copy = mkdtempSync(join(copies, 'log-'));
  cpSync(folder(), copy, { recursive: true });
  rmSync(join(copy, 'lock'));
  const first = join(copy, '00000001.segment');
  writeFileSync(first, change(log()));
  return copy;
}

const lines = (log: Buffer): readonly string[] => log.toString('utf8').split('\n').slice(0, -1);
/** The server writes it still: behind its records is room. */
const log = (): Buffer => {
  const bytes = readFileSync(join(folder(), '00000001.segment'));
  return bytes.subarray(0, bytes.lastIndexOf(10) + 1);
};
const ofLines = (all: readonly string[]): Buffer => Buffer.from(`${all.join('\n')}\n`);

describe('a log that somebody changed', () => {
  test('I0 as it is written, nothing is wrong with it', async () => {
    const { records, problems } = await verifyLog(folder());
    expect(problems).toEqual([]);
    expect(records).toBeGreaterThanOrEqual(10);
  });

  test('I6 a bit that flips, anywhere in a record, is found', async () => {
    const whole = log();
    const header = whole.indexOf(10) + 1;
    // Every other byte of the last record, and a sample of all others.
    const last = whole.lastIndexOf(10, whole.length - 2) + 1;
    const step = Math.ceil((last - header) / 100);
    const sample = Array.from({ length: Math.floor((last - header) / step) }, (_, at) => header + at * step);
    const places = [
      ...sample,
      ...Array.from({ length: Math.floor((whole.length - 1 - last) / 2) }, (_, at) => last + 2 * at),
    ];
    for (const place of places) {
      const copy = tampered((bytes) => {
        bytes[place] = (bytes[place] ?? 0) ^ (1 << (place % 8));
        return bytes;
      });
      expect((await verifyLog(copy)).problems.length, `at byte ${place}`).toBeGreaterThan(0);
      rmSync(copy, { recursive: true });
    }
  });

  test.each([
    ['deleted', (all: readonly string[], at: number) => all.toSpliced(at, 1)],
    ['repeated', (all: readonly string[], at: number) => all.toSpliced(at, 0, all[at] ?? '')],
    [
      'exchanged with the next',
      (all: readonly string[], at: number) => all.toSpliced(at, 2, all[at + 1] ?? '', all[at] ?? ''),
    ],
    ['emptied', (all: readonly string[], at: number) => all.toSpliced(at, 1, '')],
  ])('I7 a record that is %s is found', async (_, change) => {
    const all = lines(log());
    for (let at = 1; at < all.length - 1; at += 1) {
      const copy = tampered(() => ofLines(change(all, at)));
      expect((await verifyLog(copy)).problems.length, `record ${at}`).toBeGreaterThan(0);
      rmSync(copy, { recursive: true });
    }
  });

  test('I11 a record that says something else, with a digest that fits no longer', async () => {
    const all = lines(log());
    const at = all.findIndex((line) => line.includes('"type":"session.intent"'));
    const forged = (all[at] ?? '').replace('"purpose":"analytics"', '"purpose":"anamnesis"');
    expect(forged).not.toBe(all[at]);
    const copy = tampered(() => ofLines(all.toSpliced(at, 1, forged)));
    expect((await verifyLog(copy)).problems.length).toBeGreaterThan(0);
  });

  test('I10 what is no log is no log, and stops no reader', async () => {
    for (const bytes of [
      '',
      '\n',
      '{}\n',
      '\u0000'.repeat(4096),
      `${'9'.repeat(1e6)}\n`,
      '{"format":"ambit/evidence/v1"}\n',
    ]) {
      const copy = tampered(() => Buffer.from(bytes));
      expect((await verifyLog(copy)).problems.length, JSON.stringify(bytes.slice(0, 20))).toBeGreaterThan(0);
    }
  });

  test('I5 a torn tail is recovered to the last whole record, and the next log says what was lost', async () => {
    const key = join(world.server.folder, '.ambit/evidence.key');
    const last = lines(log()).at(-1) ?? '';
    const { records } = await verifyLog(folder());
    for (const torn of [1, 70, Math.floor(last.length / 2), last.length]) {
      const copy = tampered((bytes) => Buffer.concat([bytes, Buffer.from(last.slice(0, torn))]));
      expect(await verifyLog(copy)).toMatchObject({ problems: [], records, tornBytes: torn });
      const opened = await openLog({ folder: copy, ambit: 'test', key });
      await opened.close();
      const again = await verifyLog(copy);
      expect(again.problems).toEqual([]);
      expect(again.records).toBeGreaterThan(records);
      expect(readFileSync(join(copy, '00000002.segment'), 'utf8')).toContain(`"tornBytes":${torn}`);
    }
  });

  test('I5 a tail that a checkpoint covers was not torn but cut: no server goes on with it', async () => {
    const key = join(world.server.folder, '.ambit/evidence.key');
    const whole = log();
    const last = whole.lastIndexOf(10, whole.length - 2) + 1;
    for (const cut of [last, last + 70, whole.length - 1]) {
      const copy = tampered((bytes) => bytes.subarray(0, cut));
      expect((await verifyLog(copy)).problems).toMatchObject([{ kind: 'cut', segment: 1 }]);
      await expect(openLog({ folder: copy, ambit: 'test', key })).rejects.toThrow(EvidenceDamaged);
    }
  });

  test('I11 a log that somebody signed with a key of his own is not gone on with', async () => {
    const copy = tampered((bytes) => bytes);
    await expect(openLog({ folder: copy, ambit: 'test', key: join(copy, 'own.key') })).rejects.toThrow(
      EvidenceKeyUnknown,
    );
  });
});

describe('a record of what happened', () => {
  test('I15 says what was delivered: rows, bytes and their digest', async () => {
    for (const accept of [
      'application/json',
      'text/csv',
      'application/x-ndjson',
      'application/vnd.apache.arrow.stream',
    ]) {
      const reply = await world.ask({ sql: 'SELECT id, name FROM emp ORDER BY id', accept });
      const evidence = await world.send('auditor', `/v1/sessions/${reply.headers['ambit-session']}`);
      const { outcome } = evidence.json<Evidence>();
      const digest = createHash('sha256').update(reply.bytes).digest('hex');
      expect(outcome, accept).toMatchObject({
        rows: 60,
        bytes: reply.bytes.length,
        engine: { resultDigest: `sha256:${digest}` },
      });
    }
  });

  test('I15 says of a failed session what was not delivered', async () => {
    for (const sql of ['SELECT 1 / (id - 1413) FROM emp', 'SELECT CAST(name AS INT) FROM emp_csv']) {
      const { session } = (await world.ask(sql)).json<{ session: string }>();
      const { outcome } = (await world.send('auditor', `/v1/sessions/${session}`)).json<Evidence>();
      expect(outcome, sql).toMatchObject({ status: 'failed', rows: 0, bytes: 0 });
    }
  });

  test('I15 the intent comes before the outcome, and each answer names its place', async () => {
    const reply = await world.ask('SELECT 1');
    const { intent, outcome } = (await world.send('auditor', `/v1/sessions/${reply.headers['ambit-session']}`)).json<{
      intent: { seq: number; at: string };
      outcome: { seq: number; intent: number; at: string };
    }>();
    expect(String(intent.seq)).toBe(reply.headers['ambit-evidence']);
    expect(outcome.intent).toBe(intent.seq);
    expect(outcome.seq).toBeGreaterThan(intent.seq);
  });

  test('I16 records are in order, whatever the clock says', () => {
    const records = lines(log())
      .slice(1)
      .map((line) => JSON.parse(line.slice(line.indexOf(' ') + 1)) as { seq: number; boot: string; monotonic: string });
    records.forEach(({ seq, monotonic, boot }, at) => {
      expect(seq).toBe(at);
      const before = records[at - 1];
      if (before?.boot === boot) expect(BigInt(monotonic)).toBeGreaterThanOrEqual(BigInt(before.monotonic));
    });
  });

  test('I15 every refusal is there, whoever was refused and wherever', async () => {
    const before = lines(log()).length;
    await world.ask({ sql: 'SELECT 1', as: 'stranger' });
    await world.ask({ sql: 'SELECT 1', product: 'nosuch' });
    await world.ask({ sql: 'SELECT 1', purpose: 'nosuch' });
    await world.send('alice', '/v1/products/people/queries/nosuch', { body: { purpose: 'analytics' } });
    const added = lines(log()).slice(before).join('\n');
    expect(added.match(/"type":"request.refused"/g)).toHaveLength(4);
    for (const code of ['product_unknown', 'purpose_refused', 'query_unknown']) expect(added).toContain(code);
  });
});

describe('a statement that makes its own record too long', () => {
  test.each([
    ['a list of millions in its plan', 'SELECT unnest(range(0, 1500000)) AS x LIMIT 3'],
    ['a long text in its plan', "SELECT length(repeat('x', 20000000) || name) FROM emp"],
    ['a long text in a predicate', "SELECT count(*) FROM emp WHERE name = repeat('x', 20000000)"],
    ['a long text in an error', "SELECT CAST(repeat('x', 20000000) || name AS INT) FROM emp"],
    ['a long text in a refusal', `SELECT ${'x'.repeat(60_000)} FROM emp`],
    [
      'many long predicates',
      `SELECT 1 ${Array.from({ length: 60 }, (_, at) => `UNION ALL SELECT 1 FROM emp WHERE name > repeat('${at}', 900000)`).join(' ')}`,
    ],
  ])('I14 %s', async (_, sql) => {
    const reply = await world.ask(sql);
    const session = reply.headers['ambit-session'] ?? reply.json<{ session: string }>().session;
    const { outcome } = (await world.send('auditor', `/v1/sessions/${session}`)).json<Evidence>();
    expect(outcome?.status).toMatch(reply.status === 200 ? /completed/ : /failed|refused|crashed/);
    expect(JSON.stringify(outcome).length).toBeLessThan(3_000_000);
  });
});

describe('a log that cannot be written', () => {
  test('I3 stops every session, with a word, and the server lives', async () => {
    // A limit of the kernel on the length of any file stands for the full disk.
    const limited = await startServer({
      paths: [join(world.folder, 'people.yaml')],
      subjects: { alice: { tenant: 'a', roles: ['analyst'], claims: { tenant: 'a', lead: 'lea' } } },
      // Room is reserved in a file of 4 MiB.
      fileBytesMax: 4.25 * 2 ** 20,
    });
    try {
      const ask = (pad: number) =>
        limited.as('alice', '/v1/products/people/query', {
          body: { sql: `SELECT count(*) FROM emp -- ${'x'.repeat(pad)}`, purpose: 'analytics' },
        });
      expect((await ask(10)).status).toBe(200);
      const answers: [number, string | undefined][] = [];
      for (let at = 0; at < 20 && answers.at(-1)?.[0] !== 503; at += 1) {
        // Too long for the engine, but its intent is on record first.
        const answer = await ask(900_000);
        answers.push([answer.status, ((await answer.json()) as { code?: string }).code]);
      }
      expect(answers[0]).toEqual([400, 'statement_too_complex']);
      expect(answers.at(-1)).toEqual([503, 'evidence_unavailable']);
      expect((await limited.as('alice', '/health')).status).toBe(200);
      expect(limited.process.exitCode).toBeNull();
      // A file of its own is room enough.
      await expect.poll(async () => (await ask(10)).status, { timeout: 10_000, interval: 200 }).toBe(200);
      expect((await verifyLog(join(limited.folder, '.ambit/evidence'))).problems).toEqual([]);
    } finally {
      await limited.close();
    }
  });
});

// The last: it ends the server, again and again.
describe('a server that is killed', () => {
  test('I1 I2 I14 leaves intents without an outcome, which the next one closes', async () => {
    const endless = 'WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t';
    const answered: string[] = [];
    const ask = async (sql: string): Promise<void> => {
      const answer = await world.server.as('alice', '/v1/products/people/query', {
        body: { sql, purpose: 'analytics' },
      });
      answered.push(answer.headers.get('ambit-session') ?? '');
      await answer.text();
    };
    for (const wait of [40, 250]) {
      const asked = Array.from({ length: 4 }, (_, at) =>
        ask(at % 2 === 0 ? endless : 'SELECT count(*) FROM emp').catch(() => undefined),
      );
      await sleep(wait);
      await world.restart();
      await Promise.all(asked);
    }
    expect((await verifyLog(folder())).problems).toEqual([]);
    const { sessions } = (await world.send('alice', '/v1/sessions')).json<{
      sessions: { session: string; status: string }[];
    }>();
    const statuses = sessions.map(({ status }) => status);
    expect(statuses).not.toContain('running');
    expect(statuses).toContain('orphaned');
    // Whatever was answered is on record.
    const known = sessions.map(({ session }) => session);
    for (const id of answered) expect(known).toContain(id);
    expect(tableOf(await world.ask('SELECT count(*) FROM emp'), true).rows).toEqual([[60]]);
  });
});
