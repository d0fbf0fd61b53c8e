import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EvidenceContradiction } from '../src/errors.ts';
import { type EvidenceLog, openLog } from '../src/log.ts';
import type { ReviewApplied } from '../src/record.ts';
import { type Postgres, startPostgres } from './postgres.ts';
import { sharedLog } from './shared-support.ts';
import { freshFolder, open, readRecords, runSession } from './support.ts';

let postgres: Postgres;
beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres.close());

function review(root: string | null, product = 'flights', of = root): Omit<ReviewApplied, 'type'> {
  return {
    digest: `sha256:${product}${String(of)}`,
    product,
    version: '1.0.0',
    environment: 'production',
    fingerprint: `sha256:${String(of)}`,
    from: 'nothing',
    root,
    effect: 'widens',
    needed: 2,
    reviews: [],
    breakGlass: null,
  };
}

const rootIn = (log: EvidenceLog): Promise<string | null> => log.rootOf('flights', 'production');

describe('where the reviews of a product begin', () => {
  it('is remembered though the segments with its sessions are removed, and those that said so', async () => {
    const folder = await freshFolder();
    const run = async (work: (log: EvidenceLog) => Promise<unknown>): Promise<void> => {
      const log = await openLog({ folder, ambit: '0.1.0' });
      await work(log);
      await runSession(log, log.boot);
      await log.close();
      await pause(2);
    };
    await run((log) => log.ensureReview(review('sha256:one')));
    for (let round = 0; round < 3; round += 1) {
      for (let at = 0; at < 4; at += 1) await run(async () => {});
      await run(async (log) => expect(await log.prune(new Date())).toBeGreaterThan(0));
    }
    const records = await readRecords(folder);
    expect(records.filter(({ type }) => type === 'review.applied')).toEqual([]);
    await run(async (log) => {
      expect(await rootIn(log)).toBe('sha256:one');
      expect(await log.rootOf('flights', 'staging')).toBeNull();
      await expect(log.ensureReview(review('sha256:two'))).rejects.toBeInstanceOf(EvidenceContradiction);
      await log.ensureReview(review('sha256:one', 'flights', 'sha256:next'));
    });
  });

  it('is one boundary, whatever a process asks for at once; what operators open begins nothing', async () => {
    const log = await open(await freshFolder());
    await log.ensureReview(review(null));
    expect(await rootIn(log)).toBeNull();
    const asked = await Promise.allSettled([
      log.ensureReview(review('sha256:one')),
      log.ensureReview(review('sha256:two')),
      log.ensureReview(review('sha256:two', 'trains')),
      runSession(log, 's1'),
    ]);
    expect(asked.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
    expect(await rootIn(log)).toBe('sha256:one');
    expect(log.failure()).toBeNull();
  });

  it('is one boundary for all servers of a log, of which none had it', async () => {
    const shared = await sharedLog(postgres);
    for (let round = 0; round < 5; round += 1) {
      const [a, b] = [await shared.open(), await shared.open()];
      const product = `product-${round}`;
      expect([await a.log.rootOf(product, 'production'), await b.log.rootOf(product, 'production')]).toEqual([
        null,
        null,
      ]);
      const asked = await Promise.allSettled([
        a.log.ensureReview(review('sha256:one', product)),
        b.log.ensureReview(review('sha256:two', product)),
      ]);
      expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      const first = asked[0]?.status === 'fulfilled' ? 'sha256:one' : 'sha256:two';
      for (const { log } of [a, b]) {
        expect(await log.rootOf(product, 'production')).toBe(first);
        expect(log.failure()).toBeNull();
        await log.close();
      }
    }
    const fetched = await shared.fetched();
    const roots = (await readRecords(fetched)).filter(({ type }) => type === 'review.applied');
    expect(roots).toHaveLength(5);
  });
});
