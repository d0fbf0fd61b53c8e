import type { Governed, Results } from '@ambit/policy-test';

import { counted, printable } from '../display.ts';
import { indented, section } from './layout.ts';

/** How policy tests ended, for people: those that failed with their reasons, and what was never exercised. */
export function resultsPage(all: Results): string {
  const { product, version, environment, fingerprint, tests, passed, failed } = all;
  const lines = [
    printable(`${product} ${version} in ${environment}, ${fingerprint}`),
    ...tests.flatMap(({ name, passed: fine, file, line, complaints }) => [
      printable(`${fine ? '  pass' : '  FAIL'}  ${name}`),
      ...(fine
        ? []
        : indented(
            indented(indented([printable(`${file}:${line}`), ...complaints.map((one) => printable(one, 'keep'))])),
          )),
    ]),
    ...section('Never exercised', neverExercised(all)),
    ...section('No test would miss', missed(all)),
    '',
    `${counted(passed, 'test')} passed, ${failed} failed`,
  ];
  return `${lines.join('\n')}\n`;
}

/** Whether tests exercise all of the policy, and would miss each part that they were asked about. */
export function isCovered(all: Results): boolean {
  return neverExercised(all).length === 0 && (all.unnoticed ?? []).length === 0;
}

function neverExercised({ coverage }: Results): readonly string[] {
  const never = (what: string, governed: readonly Governed[]): readonly string[] =>
    governed
      .filter(({ applied }) => applied === 0)
      .map(({ name, exempted }) => printable(`${what} ${name}${exemptText(exempted)}`));
  return [
    ...never('row filter', coverage.rowFilters),
    ...never('mask', coverage.masks),
    ...never('policy', coverage.policies),
    ...never('purpose', coverage.purposes),
    ...never('query', coverage.queries),
  ];
}

function exemptText(exempted: number): string {
  return exempted === 0 ? '' : `: ${counted(exempted, 'session')} read what it governs, each of them exempt`;
}

function missed({ unnoticed }: Results): readonly string[] {
  return (unnoticed ?? []).map(({ what, name }) => printable(`${what} ${name}: without it every test still passes`));
}
