import { constants } from 'node:fs';
import { mkdir, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { canonical, sha256 } from '../src/canonical.ts';
import { EvidenceLocked } from '../src/errors.ts';
import { limits } from '../src/limits.ts';
import { type EvidenceLog, openLog } from '../src/log.ts';
import type { Json } from '../src/record.ts';
import { verifyLog } from '../src/verify.ts';
import { FaultyDisk } from './faulty-disk.ts';
import { freshFolder, intent, open, outcome, readLines, refusal, runSession } from './support.ts';

describe('a record', () => {
  it('lies in the segment as its digest and its canonical JSON when the append resolves', async () => {
    const folder = await freshFolder();
    const log = await open(folder);
    const record = await log.append(intent('s1'));
    const bytes = await readFile(join(folder, '00000001.segment'));
    const line = bytes.toString('utf8').split('\n').at(-2) as string;
    expect(line.slice(0, 64)).toBe(sha256(line.slice(65)));
    expect(JSON.parse(line.slice(65))).toEqual(record);
    expect(line.slice(65)).toBe(canonical(record as unknown as Json));
  });

  it('is synced before the append resolves', async () => {
    const disk = new FaultyDisk();
    const folder = await freshFolder();
    const log = await openLog({ folder, ambit: '0.1.0', files: disk });
    const record = await log.append(intent('s1'));
    const left = (await disk.afterPowerLoss(0).read(join(folder, '00000001.segment'))).toString('utf8');
    expect(left).toContain(`"seq":${record.seq},`);
    await log.close();
  });

  // What that disk says of itself, the real one has to be asked for.
  it('lies in a file of which the kernel returns from no write before it is durable', async () => {
    const path = join(await freshFolder(), 'evidence');
    await open(path);
    const numbers = await readdir('/proc/self/fd');
    const opened = await Promise.all(numbers.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')));
    const fd = numbers[opened.indexOf(join(path, '00000001.segment'))];
    const [, flags = ''] = /^flags:\s+([0-7]+)$/m.exec(await readFile(`/proc/self/fdinfo/${fd}`, 'utf8')) ?? [];
    expect(Number.parseInt(flags, 8) & constants.O_DSYNC).toBe(constants.O_DSYNC);
  });

  it('has the next seq, a time that does not go back, and the boot that wrote it', async () => {
    const folder = await freshFolder();
    for (let boot = 0; boot < 3; boot += 1) {
      const log = await openLog({ folder, ambit: '0.1.0' });
      await Promise.all(Array.from({ length: 20 }, (_, at) => log.append(refusal(`${boot}-${at}`))));
      await log.close();
    }
    const segments = (await readdir(folder)).filter((name) => name.endsWith('.segment')).sort();
    const lines = (await Promise.all(segments.map((name) => readLines(join(folder, name))))).flatMap((s) => s.lines);
    const records = lines.map(({ record }) => record);
    expect(records.map(({ seq }) => seq)).toEqual(records.map((_, at) => at));
    expect(records.map(({ at }) => at)).toEqual(records.map(({ at }) => at).toSorted());
    expect(new Set(records.map(({ boot }) => boot)).size).toBe(3);
    for (const boot of new Set(records.map((record) => record.boot))) {
      const times = records.filter((record) => record.boot === boot).map(({ monotonic }) => BigInt(monotonic));
      expect(times.every((time, at) => at === 0 || time >= (times[at - 1] as bigint))).toBe(true);
    }
    expect(records.every(({ at }) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/.test(at))).toBe(true);
  });
});

describe('group commit', () => {
  it('makes many appends durable with few syncs, one at a time, in order', async () => {
    const disk = new FaultyDisk();
    const log = await openLog({ folder: await freshFolder(), ambit: '0.1.0', files: disk });
    const before = disk.syncs;
    const records = await Promise.all(Array.from({ length: 500 }, (_, at) => log.append(refusal(String(at)))));
    expect(disk.syncs - before).toBeLessThanOrEqual(2);
    expect(disk.syncingMost).toBe(1);
    expect(records.map((record) => 'request' in record && record.request)).toEqual(records.map((_, at) => String(at)));
    await log.close();
  });
});

describe('the folder', () => {
  it('is private, with everything in it', async () => {
    const folder = join(await freshFolder(), 'evidence');
    const log = await open(folder);
    await runSession(log, 's1');
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    for (const name of await readdir(folder, { recursive: true })) {
      const found = await stat(join(folder, name));
      expect([name, found.mode & 0o777]).toEqual([name, found.isDirectory() ? 0o700 : 0o600]);
    }
    expect((await stat(`${folder}.key`)).mode & 0o777).toBe(0o600);
  });

  it('keeps a reserve of real blocks', async () => {
    const folder = await freshFolder();
    await open(folder);
    const { size, blocks } = await stat(join(folder, 'reserve'));
    expect(size).toBe(limits.reserveBytes);
    expect(blocks * 512).toBeGreaterThanOrEqual(limits.reserveBytes);
  });

  it('has one writer', async () => {
    const folder = await freshFolder();
    const log = await openLog({ folder, ambit: '0.1.0' });
    await expect(openLog({ folder, ambit: '0.1.0' })).rejects.toBeInstanceOf(EvidenceLocked);
    await log.close();
    await (await openLog({ folder, ambit: '0.1.0' })).close();
  });

  it('is not kept by a writer that is gone, nor by a process that has its number today', async () => {
    for (const holder of ['999999999 1234', `${process.pid} 1`, '']) {
      const folder = await freshFolder();
      await writeFile(join(folder, 'lock'), holder);
      await (await openLog({ folder, ambit: '0.1.0' })).close();
    }
  });
});

describe('segments', () => {
  it('roll by size, and the log reads across them', async () => {
    const folder = await freshFolder();
    const log = await open(folder);
    await log.ensureGrant('sha256:grant', { tables: {} });
    const { seq } = await log.append(intent('long'));
    const filler = 'x'.repeat(1024 * 1024);
    for (let at = 0; at < 18; at += 1) await log.append(refusal(filler));
    await runSession(log, 'late');
    await log.append(outcome('long', seq));
    expect((await readdir(folder)).filter((name) => name.endsWith('.segment'))).toHaveLength(2);
    expect((await readLines(join(folder, '00000002.segment'))).header).toMatchObject({ open: [['long', seq]] });
    expect(await log.session('long')).toMatchObject({
      intent: { seq },
      outcome: { intent: seq, status: 'completed' },
      grant: { digest: 'sha256:grant' },
    });
    expect((await log.sessions({}, 10)).map(({ intent: { session } }) => session)).toEqual(['late', 'long']);
    expect((await verifyLog(folder)).problems).toEqual([]);
  });
});

describe('a session', () => {
  it('is its intent, outcome, grant and boundary, joined', async () => {
    const folder = await freshFolder();
    const log = await open(folder);
    const boundary = { product: 'flights', version: '1.2.0', environment: 'test', fingerprint: 'sha256:boundary' };
    const ensured = [
      log.ensureBoundary({ ...boundary, boundary: { a: 1 } }),
      log.ensureGrant('sha256:grant', { b: 2 }),
    ];
    const { seq } = await log.append(intent('s1'));
    await Promise.all(ensured);
    expect(await log.session('s1')).toMatchObject({
      intent: { seq, purpose: 'operations' },
      outcome: null,
      grant: { grant: { b: 2 } },
      boundary: { boundary: { a: 1 } },
    });
    await log.append(outcome('s1', seq, { rows: 7 }));
    expect(await log.session('s1')).toMatchObject({ outcome: { intent: seq, rows: 7 } });
    expect(await log.session('s2')).toBeNull();
  });

  it('finds its grant and boundary before it, each written once a boot', async () => {
    const folder = await freshFolder();
    const log = await open(folder);
    for (const session of ['s1', 's2', 's3']) {
      const waiting = log.ensureGrant('sha256:grant', { b: 2 });
      await Promise.all([waiting, log.ensureGrant('sha256:grant', { b: 2 }), log.append(intent(session))]);
    }
    const { lines } = await readLines(join(folder, '00000001.segment'));
    const types = lines.map(({ record }) => record.type);
    expect(types.filter((type) => type === 'grant.issued')).toHaveLength(1);
    expect(types.indexOf('grant.issued')).toBeLessThan(types.indexOf('session.intent'));
  });

  it('is listed newest first, by product, tenant and principal', async () => {
    const log = await open(await freshFolder());
    const bob = { tenant: 'south', principal: 'bob' };
    await log.append(intent('a'));
    await log.append(intent('b', { subject: bob }));
    await log.append(intent('c', { product: 'fares', subject: bob }));
    const listed = async (filter: object, limit = 10) =>
      (await log.sessions(filter, limit)).map(({ intent: { session } }) => session);
    expect(await listed({})).toEqual(['c', 'b', 'a']);
    expect(await listed({}, 2)).toEqual(['c', 'b']);
    expect(await listed({ tenant: 'south' })).toEqual(['c', 'b']);
    expect(await listed({ product: 'flights', principal: 'bob' })).toEqual(['b']);
    expect(await listed({ tenant: 'north', principal: 'bob' })).toEqual([]);
  });

  it('is found again after the indexes are lost', async () => {
    const folder = await freshFolder();
    const first = await openLog({ folder, ambit: '0.1.0' });
    await runSession(first, 's1');
    await first.close();
    for (const name of await readdir(folder)) if (name.endsWith('.index')) await rm(join(folder, name));
    const log = await open(folder);
    expect(await log.session('s1')).toMatchObject({ outcome: { status: 'completed' } });
  });

  // Ids come from the address of a request. An index that is a plain object answers with what every object has.
  it.each(['constructor', '__proto__', 'toString'])('called `%s` is not there', async (id) => {
    const log = await open(await freshFolder());
    expect(await log.session(id)).toBeNull();
  });
});

describe('known faults of the log', () => {
  it("an append after close is refused: the folder may be another writer's by then", async () => {
    const folder = await freshFolder();
    const log = await openLog({ folder, ambit: '0.1.0' });
    await log.close();
    await expect(log.append(refusal('late'))).rejects.toThrow();
  });

  it('an intent has one outcome: a second is refused', async () => {
    const log = await open(await freshFolder());
    const { seq } = await log.append(intent('s1'));
    await log.append(outcome('s1', seq));
    await expect(log.append(outcome('s1', seq))).rejects.toThrow();
  });

  it('an outcome without an intent is refused', async () => {
    const log = await open(await freshFolder());
    await expect(log.append(outcome('never', 99))).rejects.toThrow();
  });

  it('a record over the limit is refused', async () => {
    const log = await open(await freshFolder());
    await expect(log.append(refusal('x'.repeat(limits.recordBytesMax)))).rejects.toThrow();
  });

  it('an outcome over the limit is kept without its report: a session that ran has one', async () => {
    const log = await open(await freshFolder());
    const { seq } = await log.append(intent('s1'));
    await log.append(outcome('s1', seq, { engine: { physicalPlan: 'x'.repeat(limits.recordBytesMax) } }));
    const found = (await log.session('s1'))?.outcome;
    expect(found).toMatchObject({
      status: 'completed',
      rows: 3,
      engine: { omitted: expect.stringContaining('bytes') },
    });
  });

  it('a folder that was open to others is made private', async () => {
    const folder = join(await freshFolder(), 'evidence');
    await mkdir(folder, { mode: 0o755 });
    await open(folder);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
  });
});

it('tells of each sync and how many records it made durable, the header of a segment apart', async () => {
  const folder = await freshFolder();
  const log = await open(folder);
  const batches: { records: number; ms: number }[] = [];
  log.onSync((batch) => void batches.push(batch));
  await log.append(refusal('alone'));
  await Promise.all(Array.from({ length: 1_500 }, (_, at) => log.append(refusal(`${at}`))));
  expect(batches.reduce((sum, { records }) => sum + records, 0)).toBe(1_501);
  expect(batches[0]?.records).toBe(1);
  expect(batches.length).toBeLessThan(20);
  for (const { ms } of batches) expect(ms).toBeGreaterThan(0);
});

describe('while many sessions are open', () => {
  /** Sizes of the batches from here on. */
  async function many(): Promise<{ readonly log: EvidenceLog; readonly batches: readonly number[] }> {
    const log = await open(await freshFolder());
    await Promise.all(Array.from({ length: limits.gatherSessionsMin }, (_, at) => log.append(intent(`s${at}`))));
    const batches: number[] = [];
    log.onSync(({ records }) => void batches.push(records));
    return { log, batches };
  }

  it('records that come one by one share what makes them durable', async () => {
    const { log, batches } = await many();
    const waiting: Promise<unknown>[] = [];
    for (let at = 0; at < 200; at += 1) {
      waiting.push(log.append(refusal(`${at}`)));
      const come = performance.now() + limits.gatherMs / 2;
      while (performance.now() < come) await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(waiting);
    expect(batches.reduce((sum, records) => sum + records, 0)).toBe(200);
    expect(batches.length).toBeLessThan(200 / 3);
  });

  it('a record waits no longer than it is followed by others', async () => {
    const { log } = await many();
    const disk: number[] = [];
    log.onSync(({ ms }) => void disk.push(ms));
    const waited: number[] = [];
    for (let at = 0; at < 50; at += 1) {
      const since = performance.now();
      await log.append(refusal(`${at}`));
      waited.push(performance.now() - since - (disk.at(-1) ?? 0));
    }
    expect(waited.toSorted((a, b) => a - b)[10]).toBeLessThan(limits.gatherMsMax - limits.gatherMs);
  });
});
