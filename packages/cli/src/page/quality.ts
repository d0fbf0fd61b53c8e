import { type Checked, qualityText, wouldClose } from '@ambit/session';

import { counted, printable } from '../display.ts';

type Result = Checked['results'][number];

/** Whether a result lets a check in CI fail: a promise that matters is not kept, or nobody can tell. */
export function isBad({ status, severity }: Result): boolean {
  return status === 'error' || (status === 'failed' && severity === 'error');
}

/** How the data of a product was found, for people. */
export function qualityPage({ product, results }: Checked): string {
  const { boundary, fingerprint } = product;
  const { name, version } = boundary.product;
  const passed = results.filter(({ status }) => status === 'passed').length;
  const rest = results.length - passed;
  const closed = wouldClose(product, results);
  const lines = [
    `${name} ${version} in ${boundary.environment}, ${fingerprint}`,
    ...results.map((result) => `  ${wordOf(result)}  ${qualityText(result)}`),
    ...(results.length === 0
      ? ['  nothing to check: the contract has no rules, and no service level that says how old data may be']
      : []),
    '',
    `${counted(passed, 'promise')} kept, ${rest} not`,
    ...closed.map((table) => `table ${table} would be closed`),
  ];
  return lines.map((line) => `${printable(line)}\n`).join('');
}

function wordOf({ status, severity }: Result): string {
  if (status === 'passed') return 'pass ';
  if (status === 'error') return 'ERROR';
  return severity === 'error' ? 'FAIL ' : severity === 'warning' ? 'warn ' : 'info ';
}
