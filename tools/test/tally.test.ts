import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';

import { cargoTally, summary, vitestTally } from '../tally.mjs';

const folder = mkdtempSync(join(tmpdir(), 'ambit-tally-'));
afterAll(() => rmSync(folder, { recursive: true }));

const report = (content: unknown): string => {
  const file = join(folder, `${Math.random()}.json`);
  writeFileSync(file, JSON.stringify(content));
  return file;
};
const loaded = { status: 'passed', assertionResults: [{ status: 'passed' }] };

describe('cargo', () => {
  const output =
    'running 3 tests\ntest result: ok. 3 passed; 0 failed; 0 ignored;\n\ntest result: FAILED. 4 passed; 2 failed; 0 ignored;\n';

  test('sums over its binaries', () => {
    expect(cargoTally(output, 101)).toEqual({ name: 'cargo test', passed: 7, failed: 2 });
  });

  test('a crash is a failure, although no test failed', () => {
    expect(cargoTally('test result: ok. 3 passed; 0 failed; 0 ignored;\n', 101)).toMatchObject({
      passed: 3,
      failed: 1,
    });
    expect(cargoTally('', 127)).toMatchObject({ passed: 0, failed: 1 });
  });

  test('text that only looks like a result does not count', () => {
    expect(cargoTally('said: test result: ok. 9 passed; 9 failed;\n', 0)).toMatchObject({ passed: 0, failed: 0 });
  });
});

describe('vitest', () => {
  test('counts tests', () => {
    const file = report({ numPassedTests: 5, numFailedTests: 0, testResults: [loaded] });
    expect(vitestTally(file, 0)).toEqual({ name: 'vitest', passed: 5, failed: 0 });
  });

  test('a file that does not load is a failure', () => {
    const results = [loaded, { status: 'failed', assertionResults: [] }];
    expect(vitestTally(report({ numPassedTests: 5, numFailedTests: 0, testResults: results }), 1).failed).toBe(1);
  });

  test('a file with a failed test is not counted twice', () => {
    const results = [{ status: 'failed', assertionResults: [{ status: 'failed' }, { status: 'passed' }] }];
    expect(vitestTally(report({ numPassedTests: 1, numFailedTests: 1, testResults: results }), 1).failed).toBe(1);
  });

  test('a runner that ended badly, or wrote no report, is a failure', () => {
    expect(vitestTally(report({ numPassedTests: 5, numFailedTests: 0, testResults: [loaded] }), 1).failed).toBe(1);
    expect(vitestTally(join(folder, 'none.json'), 0).failed).toBe(1);
  });
});

test('the last line', () => {
  expect(
    summary([
      { name: 'a', passed: 2, failed: 0 },
      { name: 'b', passed: 3, failed: 1 },
    ]).line,
  ).toBe('5 passed, 1 failed');
});
