import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLog } from '@ambit/evidence';
import { expect, onTestFinished, test } from 'vitest';
import { tapped } from '../src/tap.ts';

test('a tapped log has the key that signs now, also after a rotation', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ambit-tap-'));
  const log = await openLog({ folder, ambit: '0.1.0' });
  onTestFinished(async () => {
    await log.close();
    for (const path of [folder, `${folder}.key`]) rmSync(path, { recursive: true });
  });
  const types: string[] = [];
  const tap = tapped(log, ({ record }) => void types.push(record.type));
  const before = tap.key;
  expect(before).toBe(log.key);
  const rotated = await tap.rotateKey();
  expect(rotated).not.toBe(before);
  expect(tap.key).toBe(rotated);
  expect((await tap.append({ type: 'evidence.gap', reason: 'a test' })).type).toBe('evidence.gap');
  await new Promise((turn) => setImmediate(turn));
  expect(types).toEqual(['evidence.gap']);
});
