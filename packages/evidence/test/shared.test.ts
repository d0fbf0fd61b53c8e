import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { EvidenceDamaged, EvidenceKeyUnknown, EvidenceShared, EvidenceUnavailable } from '../src/errors.ts';
import { openLog } from '../src/log.ts';
import { verifyReceipt } from '../src/receipt.ts';
import { fetchLog } from '../src/shared/fetch.ts';
import { verifyLog } from '../src/verify.ts';
import { FaultyDisk } from './faulty-disk.ts';
import { type Postgres, startPostgres } from './postgres.ts';
import { startProxy } from './proxy.ts';
import { sharedLog, until } from './shared-support.ts';
import { freshFolder, intent, open as openAlone, outcome, readRecords, refusal, runSession } from './support.ts';

let postgres: Postgres;
beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres.close());

/** Every server's connection to a schema is cut by the database. */
async function terminate(boot: string): Promise<void> {
  await postgres.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ambit ${boot}'`,
  );
}

describe('a log that servers share', () => {
  it('is one log, the same on each of them, and verifies', async () => {
    const shared = await sharedLog(postgres);
    const [a, b] = [await shared.open(), await shared.open()];
    await Promise.all(Array.from({ length: 40 }, (_, at) => runSession(at % 2 === 0 ? a.log : b.log, `s${at}`)));
    expect(await b.log.session('s0')).toMatchObject({ outcome: { status: 'completed' } });
    expect(await a.log.session('s1')).toMatchObject({ outcome: { status: 'completed' } });
    expect(verifyReceipt((await b.log.receipt('s0')) as never, a.log.key)).toMatchObject({ holds: true });
    await a.log.close();
    await b.log.close();
    // Goes on where the log is by now, and brings its folder up to that.
    const late = await shared.open(a.folder);
    await late.log.close();
    const fetched = await shared.fetched(a.folder);
    const { log, key } = await fetchLog(shared.options, join(await freshFolder(), 'new'));
    expect(key).toBe(a.log.key);
    expect((await verifyLog(b.folder, { key })).problems).toEqual([]);
    const records = await readRecords(fetched);
    expect(records.map(({ seq }) => seq)).toEqual(records.map((_, at) => at));
    expect(records.filter(({ type }) => type === 'server.lost')).toEqual([]);
    expect(records.filter(({ type }) => type === 'log.closed')).toHaveLength(3);
    expect((await verifyLog(fetched)).log).toBe(log);
  });

  it('proves on each server what another appended', async () => {
    const shared = await sharedLog(postgres);
    const [a, b] = [await shared.open(), await shared.open()];
    await runSession(a.log, 'first');
    const receipt = await b.log.receipt('first');
    await runSession(a.log, 'second');
    const then = b.log.records();
    expect((await b.log.consistency(then))?.checkpoint).toBe(a.log.checkpoint());
    await a.log.close();
    await b.log.close();
    const trees = [receipt?.checkpoint as string, a.log.checkpoint()];
    const fetched = await shared.fetched();
    expect((await verifyLog(fetched, { checkpoints: trees })).problems).toEqual([]);
    expect((await verifyLog(b.folder, { checkpoints: [trees[0] as string] })).problems).toEqual([]);
  });

  it('comes to a server that nobody asks', async () => {
    const shared = await sharedLog(postgres);
    const [a, b] = [await shared.open(), await shared.open()];
    const lags: number[] = [];
    for (let at = 0; at < 5; at += 1) {
      await runSession(a.log, `told-${at}`);
      const appended = performance.now();
      await until(() => b.log.records() === a.log.records());
      lags.push(performance.now() - appended);
    }
    // Well before the next look: the database calls.
    expect(Math.min(...lags)).toBeLessThan(300);
  });

  it('is not closed by a server that starts while another serves', async () => {
    const shared = await sharedLog(postgres);
    const a = await shared.open();
    const { seq } = await a.log.append(intent('running'));
    const b = await shared.open();
    expect(await b.log.session('running')).toMatchObject({ outcome: null });
    await a.log.append(outcome('running', seq));
    expect(await b.log.session('running')).toMatchObject({ outcome: { status: 'completed' } });
  });

  it('rolls its segments in the same place on each server', async () => {
    const shared = await sharedLog(postgres);
    const [a, b] = [await shared.open(), await shared.open()];
    const big = { limits: { text: 'x'.repeat(2 * 1024 * 1024) } };
    for (let at = 0; at < 10; at += 1) {
      const { log } = at % 2 === 0 ? a : b;
      const { seq } = await log.append(intent(`s${at}`, big));
      await log.append(outcome(`s${at}`, seq));
    }
    await until(() => a.log.records() === b.log.records());
    await shared.fetched(a.folder, b.folder);
  });
});

describe('a server that is far from the database', () => {
  it('gets its turn, however busy those are that are near', async () => {
    const shared = await sharedLog(postgres);
    const proxy = await startProxy(postgres.port);
    onTestFinished(() => proxy.close());
    const [near, far] = [await shared.open(), await shared.open(undefined, proxy.port)];
    proxy.delayMs = 10;
    const load = new AbortController();
    const loaded = (async () => {
      for (let at = 0; !load.signal.aborted; at += 1) await near.log.append(refusal(`near-${at}`));
    })();
    const before = near.log.records();
    for (let at = 0; at < 5; at += 1) await far.log.append(refusal(`far-${at}`));
    load.abort();
    await loaded;
    // Else nobody was in its way.
    expect(near.log.records() - before).toBeGreaterThan(20);
    await far.log.close();
    await near.log.close();
    await shared.fetched();
  });
});

describe('a server that is lost', () => {
  it('is fenced in the step that closes its sessions, and is refused when it comes back', async () => {
    const shared = await sharedLog(postgres);
    const proxy = await startProxy(postgres.port);
    onTestFinished(() => proxy.close());
    const [lost, other] = [await shared.open(undefined, proxy.port), await shared.open()];
    const { seq } = await lost.log.append(intent('running'));
    await lost.log.append(intent('too'));
    proxy.down = true;
    proxy.cut();
    await until(async () => (await other.log.session('running'))?.outcome?.status === 'orphaned');
    proxy.down = false;
    await expect(lost.log.append(outcome('running', seq))).rejects.toBeInstanceOf(EvidenceUnavailable);
    await until(() => lost.log.failure()?.startsWith('evidence_fenced') === true);
    await expect(lost.log.append(intent('more'))).rejects.toThrow('evidence_fenced');
    await expect(lost.log.append(refusal('more'))).rejects.toThrow('evidence_fenced');
    const records = await readRecords(await shared.fetched());
    const at = records.findIndex(({ type }) => type === 'server.lost');
    expect(records.slice(at, at + 3)).toMatchObject([
      { server: lost.log.boot, sessions: 2, boot: other.log.boot },
      { type: 'session.outcome', session: 'running', status: 'orphaned' },
      { type: 'session.outcome', session: 'too', status: 'orphaned' },
    ]);
  });

  it('that is marked is refused by the append itself, though its connection lives', async () => {
    const shared = await sharedLog(postgres);
    const { log } = await shared.open();
    const { seq } = await log.append(intent('running'));
    await postgres.query(`UPDATE ${shared.options.schema}.servers SET state = 'fenced' WHERE boot = '${log.boot}'`);
    await expect(log.append(outcome('running', seq))).rejects.toThrow('evidence_fenced');
    expect(log.failure()).toContain('evidence_fenced');
    const records = await readRecords(await shared.fetched());
    expect(records.at(-1)).toMatchObject({ type: 'session.intent', session: 'running' });
  });

  it('that is back before anybody missed it goes on', async () => {
    const shared = await sharedLog(postgres);
    const [a, b] = [await shared.open(), await shared.open()];
    const { seq } = await a.log.append(intent('running'));
    await terminate(a.log.boot);
    await a.log.append(outcome('running', seq));
    expect(await b.log.session('running')).toMatchObject({ outcome: { status: 'completed' } });
    expect(a.log.failure()).toBeNull();
  });
});

describe('what does not belong together', () => {
  it('a server with another key is refused', async () => {
    const shared = await sharedLog(postgres);
    await shared.open();
    const folder = await freshFolder();
    const opening = openLog({ folder, key: `${folder}.key`, ambit: '0.1.0', shared: shared.options });
    await expect(opening).rejects.toBeInstanceOf(EvidenceKeyUnknown);
  });

  it('a folder of another log is refused, and left as it is', async () => {
    const shared = await sharedLog(postgres);
    await shared.open();
    const folder = await freshFolder();
    const alone = await openAlone(folder);
    await runSession(alone, 's1');
    await alone.close();
    const before = await readRecords(folder);
    await expect(shared.open(folder)).rejects.toBeInstanceOf(EvidenceDamaged);
    expect(await readRecords(folder)).toEqual(before);
  });

  it('a copy is not written to without the database: that would fork the log', async () => {
    const shared = await sharedLog(postgres);
    const { log, folder } = await shared.open();
    await runSession(log, 's1');
    await log.close();
    const fetched = await shared.fetched(folder);
    for (const copy of [folder, fetched]) {
      const opening = openLog({ folder: copy, key: shared.key, ambit: '0.1.0' });
      await expect(opening).rejects.toBeInstanceOf(EvidenceShared);
      expect((await verifyLog(copy)).problems).toEqual([]);
    }
  });

  it('a database that lost what it had taken is refused, by who runs and by who starts', async () => {
    const shared = await sharedLog(postgres);
    const a = await shared.open();
    await runSession(a.log, 's1');
    await postgres.query(
      `DELETE FROM ${shared.options.schema}.batches WHERE first >= 2; UPDATE ${shared.options.schema}.log SET position = 2`,
    );
    await expect(a.log.append(refusal('one'))).rejects.toThrow('evidence_damaged');
    await a.log.close();
    await expect(shared.open(a.folder)).rejects.toBeInstanceOf(EvidenceDamaged);
  });

  it('what somebody wrote into the database is not taken, by who runs and by who starts', async () => {
    const shared = await sharedLog(postgres);
    const a = await shared.open();
    await runSession(a.log, 's1');
    const { schema } = shared.options;
    await postgres.query(
      `INSERT INTO ${schema}.batches (first, records, id, boot, segment, start, bytes, checkpoint)
         SELECT first + records, records, gen_random_uuid(), boot, segment, start + octet_length(bytes), bytes, checkpoint
         FROM ${schema}.batches ORDER BY first DESC LIMIT 1;
       UPDATE ${schema}.log SET position = (SELECT max(first + records) FROM ${schema}.batches)`,
    );
    await expect(a.log.append(refusal('one'))).rejects.toThrow('evidence_damaged');
    const copied = await mkdtemp(join(tmpdir(), 'ambit-copied-'));
    onTestFinished(() => rm(copied, { recursive: true }));
    await a.log.close();
    await cp(a.folder, copied, { recursive: true });
    await expect(shared.open(copied)).rejects.toBeInstanceOf(EvidenceDamaged);
    await expect(shared.open()).rejects.toBeInstanceOf(EvidenceDamaged);
  });
});

describe('the role of a server', () => {
  it('needs no more than the rights that the documentation lists', async () => {
    const shared = await sharedLog(postgres);
    await (await shared.open()).log.close();
    const { schema } = shared.options;
    await postgres.query(`
      CREATE ROLE serving_${schema} LOGIN;
      GRANT USAGE ON SCHEMA ${schema} TO serving_${schema};
      GRANT SELECT ON ALL TABLES IN SCHEMA ${schema} TO serving_${schema};
      GRANT UPDATE ON ${schema}.log TO serving_${schema};
      GRANT INSERT ON ${schema}.batches TO serving_${schema};
      GRANT INSERT, UPDATE ON ${schema}.servers TO serving_${schema};
      CREATE ROLE reading_${schema} LOGIN;
      GRANT USAGE ON SCHEMA ${schema} TO reading_${schema};
      GRANT SELECT ON ALL TABLES IN SCHEMA ${schema} TO reading_${schema}`);
    const serving = { ...shared.options, user: `serving_${schema}` };
    const folder = await freshFolder();
    const log = await openLog({ folder, key: shared.key, ambit: '0.1.0', shared: serving });
    await runSession(log, 's1');
    await terminate(log.boot);
    await runSession(log, 's2');
    await log.close();
    const reading = { ...shared.options, user: `reading_${schema}` };
    await fetchLog(reading, join(await freshFolder(), 'new'));
    const opening = openLog({ folder: await freshFolder(), key: shared.key, ambit: '0.1.0', shared: reading });
    await expect(opening).rejects.toThrow('the role lacks a right');
  });
});

describe('a server among others', () => {
  it('takes no header that says more than the key of the log signed', async () => {
    const shared = await sharedLog(postgres);
    const { schema } = shared.options;
    const proxy = await startProxy(postgres.port);
    onTestFinished(() => proxy.close());
    const { log } = await shared.open(undefined, proxy.port);
    proxy.down = true;
    proxy.cut();
    // Its first batch is the last of the log, and begins a segment.
    await shared.open();
    const last = `FROM ${schema}.batches WHERE start = 0 ORDER BY segment DESC LIMIT 1`;
    const [{ id, hex }] = (await postgres.query(`SELECT id, encode(bytes, 'hex') AS hex ${last}`)) as [
      { id: string; hex: string },
    ];
    const text = Buffer.from(hex, 'hex').toString('utf8');
    const more = text.replace(/("checkpoint":"[^"]*)"/, '$1— nobody AAAAAAAA\\n"');
    expect(more).not.toBe(text);
    const bytes = Buffer.from(more).toString('hex');
    await postgres.query(`UPDATE ${schema}.batches SET bytes = decode('${bytes}', 'hex') WHERE id = '${id}'`);
    proxy.down = false;
    await until(() => log.failure()?.startsWith('evidence_damaged') === true);
  });

  it('heals after a moment in which it could not write its copy, however much the others append', async () => {
    const shared = await sharedLog(postgres);
    const files = new FaultyDisk();
    const folder = await freshFolder();
    const log = await openLog({ folder, key: shared.key, ambit: '0.1.0', shared: shared.options, files });
    onTestFinished(() => log.close());
    const others = await Promise.all(Array.from({ length: 2 }, () => shared.open()));
    const ended = new AbortController();
    const busy = others.map(async (other, name) => {
      for (let at = 0; !ended.signal.aborted; at += 1) await runSession(other.log, `other-${name}-${at}`);
    });
    files.fault = (step) => (step === 'append' ? 'EIO' : null);
    await until(() => log.failure() !== null);
    // It is told of each of their batches, and is not to try with each.
    files.fault = () => null;
    await until(() => log.failure() === null, 5_000);
    await runSession(log, 'after');
    ended.abort();
    await Promise.all(busy);
    for (const { log: other } of others) await other.close();
  });
});
