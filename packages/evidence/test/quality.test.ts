import { describe, expect, it } from 'vitest';
import type { QualityChecked, QualityStarted } from '../src/record.ts';
import { verifyLog } from '../src/verify.ts';
import { freshFolder, open } from './support.ts';

// A check of quality says what it will look at before it looks, and tells of that and of nothing else.

const about = { check: 'chk_1', product: 'flights', version: '1.0.0', environment: 'test', fingerprint: 'sha256:0' };
const promised = { kind: 'rule', table: 'flights', column: null, name: 'enough' } as const;

const started: QualityStarted = { type: 'quality.started', ...about, clockMicros: 1, promises: [promised] };

function checked(seq: number, more: Partial<QualityChecked> = {}): QualityChecked {
  const found = { status: 'passed', severity: 'error', promise: 'rowCount mustBe 1', value: '1', code: null } as const;
  const results = [{ ...promised, ...found, micros: 1 }];
  return { type: 'quality.checked', ...about, started: seq, results, closed: [], accesses: [], objects: 0, ...more };
}

async function reasons(end: (seq: number) => QualityChecked | null): Promise<readonly string[]> {
  const folder = await freshFolder();
  const log = await open(folder);
  const { seq } = await log.append(started);
  const record = end(seq);
  if (record !== null) await log.append(record);
  await log.close();
  return (await verifyLog(folder)).problems.map(({ reason }) => reason.replace(/^record \d+ /, ''));
}

describe('the verifier', () => {
  it('finds nothing in a check that ended, nor in one that a process did not live to end', async () => {
    expect(await reasons(checked)).toEqual([]);
    expect(await reasons(() => null)).toEqual([]);
  });

  it('says that a check tells of what it was not to look at, or was not begun', async () => {
    expect(await reasons((seq) => checked(seq, { results: [] }))).toEqual([
      'tells of other rules than were to be checked',
    ]);
    expect(await reasons((seq) => checked(seq - 1))).toEqual(['is the end of a check of quality that was not begun']);
    expect(await reasons((seq) => checked(seq, { check: 'chk_2' }))).toEqual([
      'is the end of a check of quality that was not begun',
    ]);
  });

  it('says that one began twice', async () => {
    const folder = await freshFolder();
    const log = await open(folder);
    await log.append(started);
    await log.append(started);
    await log.close();
    expect((await verifyLog(folder)).problems.map(({ reason }) => reason)).toEqual([
      expect.stringContaining('begins a check of quality a second time'),
    ]);
  });
});
