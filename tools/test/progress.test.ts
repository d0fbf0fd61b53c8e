import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { readMessage, readTalk } from '../setup/engine.mjs';
import { estimator, timeLeft } from '../setup/progress.mjs';

const costs = { heavy: { parquet: 50, datafusion: 100 }, other: 1 };

describe('the estimate of the time left', () => {
  test('is not given before cargo has said how many crates there are', () => {
    expect(estimator(costs, 2).at(10)).toEqual({ done: 0, total: 0, left: null });
  });

  test('starts from the costs and the number of cores', () => {
    const estimate = estimator(costs, 2);
    estimate.count(0, 12);
    // 150 for the heavy ones and 10 for the others, by two cores.
    expect(estimate.at(0).left).toBeCloseTo(80);
  });

  test('follows a slow machine: what took long makes the rest longer', () => {
    const estimate = estimator(costs, 2);
    estimate.finished('parquet', false);
    estimate.count(1, 12);
    const fast = estimate.at(25).left ?? 0;
    const slow = estimate.at(250).left ?? 0;
    expect(slow).toBeGreaterThan(fast * 3);
  });

  test('a crate that was built before counts as done and says nothing about the rate', () => {
    const estimate = estimator(costs, 2);
    estimate.finished('datafusion', true);
    estimate.count(1, 2);
    expect(estimate.at(0).left).toBeCloseTo(25);
  });

  test('falls with every crate that finishes, and never below zero', () => {
    const crates = fc.uniqueArray(fc.constantFrom('parquet', 'datafusion', 'a', 'b', 'c'));
    fc.assert(
      fc.property(crates, fc.integer({ min: 0, max: 5000 }), (finished, seconds) => {
        const estimate = estimator(costs, 4);
        let before = Infinity;
        finished.forEach((crate, index) => {
          estimate.finished(crate, false);
          estimate.count(index + 1, 5);
          const left = estimate.at(seconds).left ?? NaN;
          expect(left).toBeGreaterThanOrEqual(0);
          expect(left).toBeLessThanOrEqual(before);
          before = left;
        });
      }),
    );
  });

  test('is told without more precision than it has', () => {
    expect([null, 3, 44, 95, 700].map(timeLeft)).toEqual([
      'time left not known yet',
      'seconds left',
      'about 40 s left',
      'about 2 min left',
      'about 12 min left',
    ]);
  });
});

test("cargo's messages and bar are read", () => {
  const estimate = estimator(costs, 2);
  const line = { clear: () => {} };
  readTalk('    Building [=====>      ] 12/345: parquet, datafusion-expr', estimate, line);
  readMessage('{"reason":"compiler-artifact","target":{"name":"parquet","kind":["lib"]},"fresh":false}', estimate);
  readMessage(
    '{"reason":"compiler-artifact","target":{"name":"build-script-build","kind":["custom-build"]},"fresh":false}',
    estimate,
  );
  readMessage('not json', estimate);
  const before = estimate.at(100);
  expect(before).toMatchObject({ done: 12, total: 345 });
  readMessage('{"reason":"compiler-artifact","target":{"name":"data-fusion","kind":["lib"]},"fresh":true}', estimate);
  expect(estimate.at(100).left).toBe(before.left);
});
