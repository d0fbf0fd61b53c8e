import { setTimeout as pause } from 'node:timers/promises';
import { beforeAll, expect, it } from 'vitest';
import { build, expectWhole, startAppender } from './process.ts';
import { freshFolder } from './support.ts';

/** More of them for a soak: `EVIDENCE_KILLS=500 npx vitest run packages/evidence/test/kill.test.ts`. */
const kills = Number(process.env['EVIDENCE_KILLS'] ?? 15);

beforeAll(build, 60_000);

it(`keeps its promises through ${kills} times kill -9 under load`, { timeout: kills * 5_000 }, async () => {
  let folder = await freshFolder();
  let acknowledged = 0;
  let orphans = 0;
  for (let round = 0; round < kills; round += 1) {
    // Several lives for one log, but not so many that reading it all takes longer than the rest.
    if (round % 8 === 0) folder = await freshFolder();
    const appender = await startAppender(folder, 16);
    await pause(Math.random() * 120);
    await appender.kill();
    expect(appender.said().filter((line) => line.startsWith('refused'))).toEqual([]);
    acknowledged += appender.said().length - 1;
    orphans += await expectWhole(folder, appender.said());
  }
  // Else it was killed where nothing could be lost.
  expect(acknowledged).toBeGreaterThan(kills);
  expect(orphans).toBeGreaterThan(0);
});
