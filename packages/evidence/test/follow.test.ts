import { appendFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { logEnd, type LogPlace, logStart, openLog, readAfter } from '../src/index.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ambit-follow-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Opens the log, appends, and closes it: a segment. */
async function segment(records: number): Promise<void> {
  const log = await openLog({ folder, ambit: '1' });
  for (let at = 0; at < records; at += 1) await log.append({ type: 'evidence.gap', reason: `${at}` });
  await log.close();
}

async function all(from: LogPlace, upTo: number, recordsMax: number) {
  const found: number[] = [];
  let missing = 0;
  for (let place = from; ; ) {
    const read = await readAfter(folder, place, { upTo, recordsMax });
    found.push(...read.records.map(({ seq }) => seq));
    missing += read.missing;
    if (read.next.seq === place.seq) return { found, missing, place: read.next };
    place = read.next;
  }
}

test('all records come once, in order, whatever is read at a time', async () => {
  await segment(3);
  await segment(40);
  await segment(0);
  const { seq } = await logEnd(folder);
  // Each run opens the log, and closes it.
  expect(seq).toBe(48);
  for (const recordsMax of [1, 7, 1_000]) {
    const { found, missing } = await all(logStart, seq, recordsMax);
    expect(found).toEqual([...Array(49).keys()]);
    expect(missing).toBe(0);
  }
});

test('what is not known to be durable is not read, until it is', async () => {
  await segment(5);
  const { found, place } = await all(logStart, 2, 10);
  expect(found).toEqual([0, 1, 2]);
  expect((await all(place, 5, 10)).found).toEqual([3, 4, 5]);
});

test('a line without an end is no record yet', async () => {
  await segment(2);
  const name = readdirSync(folder).find((one) => one.endsWith('.segment')) ?? '';
  appendFileSync(join(folder, name), 'a line that is half');
  expect((await all(logStart, 100, 10)).found).toEqual([0, 1, 2, 3]);
});

test('records of a segment that was removed are counted as missing', async () => {
  await segment(3);
  await segment(3);
  rmSync(join(folder, '00000001.segment'));
  const { found, missing } = await all(logStart, 9, 10);
  expect(found).toEqual([5, 6, 7, 8, 9]);
  expect(missing).toBe(5);
});
