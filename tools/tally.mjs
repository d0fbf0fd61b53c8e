// What test runners and checks found, as one count.

import { readFileSync } from 'node:fs';

/** @typedef {{ name: string, passed: number, failed: number }} Tally */

/**
 * cargo's count, from its `test result:` lines. A run that ended badly without a failed test is a failure of its own:
 * it did not compile, or a test took the process with it.
 *
 * @param {string} output
 * @param {number} status
 * @returns {Tally}
 */
export function cargoTally(output, status) {
  let passed = 0;
  let failed = 0;
  for (const [, ok, bad] of output.matchAll(/^test result: \w+\. (\d+) passed; (\d+) failed;/gm)) {
    passed += Number(ok);
    failed += Number(bad);
  }
  return { name: 'cargo test', passed, failed: failed === 0 && status !== 0 ? 1 : failed };
}

/**
 * vitest's count, from its JSON report. A file that could not be loaded has no tests: it counts as one failure. So does
 * a runner that ended badly, or wrote no report.
 *
 * @param {string} file
 * @param {number} status
 * @returns {Tally}
 */
export function vitestTally(file, status) {
  const name = 'vitest';
  let report;
  try {
    report = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return { name, passed: 0, failed: 1 };
  }
  const broken = report.testResults.filter(
    (/** @type {{ status: string, assertionResults: { status: string }[] }} */ result) =>
      result.status === 'failed' && !result.assertionResults.some((test) => test.status === 'failed'),
  ).length;
  const failed = report.numFailedTests + broken;
  return { name, passed: report.numPassedTests, failed: failed === 0 && status !== 0 ? 1 : failed };
}

/**
 * @param {readonly Tally[]} tallies
 */
export function summary(tallies) {
  const passed = tallies.reduce((sum, tally) => sum + tally.passed, 0);
  const failed = tallies.reduce((sum, tally) => sum + tally.failed, 0);
  return { passed, failed, line: `${passed} passed, ${failed} failed` };
}
