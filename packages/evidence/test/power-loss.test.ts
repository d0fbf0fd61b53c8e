import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type EvidenceLog, openLog } from '../src/log.ts';
import type { EvidenceRecord } from '../src/record.ts';
import { segmentsOf, segmentName } from '../src/segment.ts';
import { verifyLog } from '../src/verify.ts';
import { FaultyDisk } from './faulty-disk.ts';
import { freshFolder, intent, linesOf, outcome, refusal } from './support.ts';

/** More of them for a soak: `EVIDENCE_POWER_LOSSES=1000 npx vitest run packages/evidence/test/power-loss.test.ts`. */
const losses = Number(process.env['EVIDENCE_POWER_LOSSES'] ?? 40);

/** Numbers that a seed decides. */
function random(seed: number): () => number {
  let state = seed * 2_654_435_769;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    return state / 2 ** 32;
  };
}

/** Sessions of several clients at once, some with much to say, until the log is told to end. Notes what was acknowledged. */
function load(log: EvidenceLog, life: string, chance: () => number, told: Map<string, 'intent' | 'outcome'>): void {
  const client = async (name: number): Promise<void> => {
    for (let count = 0; ; count += 1) {
      const session = `${life}-${name}-${count}`;
      const { seq } = await log.append(intent(session));
      told.set(session, 'intent');
      // Long ones, so that a tail is torn inside of them, and a segment is full now and then.
      if (chance() < 0.1) await log.append(refusal('x'.repeat(life.endsWith('1') ? 6_000_000 : 50_000)));
      await log.append(outcome(session, seq));
      told.set(session, 'outcome');
    }
  };
  for (let name = 0; name < 4; name += 1) client(name).catch(() => undefined);
}

async function recordsOf(disk: FaultyDisk, folder: string): Promise<readonly EvidenceRecord[]> {
  const segments = segmentsOf(await disk.list(folder));
  const read = await Promise.all(segments.map((segment) => disk.read(join(folder, segmentName(segment)))));
  return read.flatMap((bytes) => linesOf(bytes).lines.map(({ record }) => record));
}

it(`keeps its promises through ${losses} losses of power`, { timeout: losses * 3_000 }, async () => {
  let acknowledged = 0;
  let rolled = 0;
  for (let seed = 0; seed < losses; seed += 4) {
    const chance = random(seed + 1);
    const folder = await freshFolder();
    const told = new Map<string, 'intent' | 'outcome'>();
    let disk = new FaultyDisk({ roomy: true });
    for (let life = 0; life < 4; life += 1) {
      const log = await openLog({ folder, ambit: '0.1.0', files: disk });
      load(log, `${seed}-${life}`, chance, told);
      for (let turns = Math.floor(chance() * 60); turns > 0; turns -= 1)
        await new Promise((done) => setImmediate(done));
      // In one step: what was told by then must be there, what was written and not synced may be, in part.
      const after = disk.afterPowerLoss(() => (chance() < 0.3 ? 1 : chance() < 0.4 ? 0 : chance()));
      const due = new Map(told);
      await log.close();
      disk = after;
      const again = await openLog({ folder, ambit: '0.1.0', files: disk });
      await again.close();
      expect((await verifyLog(folder, { files: disk, key: log.key })).problems, `seed ${seed}, life ${life}`).toEqual(
        [],
      );
      const records = await recordsOf(disk, folder);
      const intents = new Set(records.flatMap((record) => (record.type === 'session.intent' ? [record.session] : [])));
      const outcomes = new Map(
        records.flatMap((record) =>
          record.type === 'session.outcome' ? [[record.session, record.status] as const] : [],
        ),
      );
      for (const [session, what] of due) {
        expect(intents.has(session), `acknowledged intent of ${session}`).toBe(true);
        if (what === 'outcome') expect(outcomes.get(session), `acknowledged outcome of ${session}`).toBe('completed');
      }
      expect([...intents].filter((session) => !outcomes.has(session))).toEqual([]);
      told.clear();
      for (const [session, status] of outcomes) if (status === 'completed') told.set(session, 'outcome');
      acknowledged += due.size;
      rolled = Math.max(rolled, segmentsOf(await disk.list(folder)).length);
    }
  }
  // Else nothing was lost because nothing was written.
  expect(acknowledged).toBeGreaterThan(losses);
  expect(rolled).toBeGreaterThan(8);
});
