import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatProblem } from '@ambit/contract';
import type { Engine } from '@ambit/engine';
import { ContractsInvalid, loadEnvironment, loadProducts } from '@ambit/session';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkingEngine } from './engine.ts';

// A version may not take from its consumers what one before it, of the same major, gives them.

const contract = `apiVersion: ambit/v1
kind: DataProduct
name: shop
version: 1.0.0
tenant: north
owner: { team: shop }
purposes:
  reporting: What was sold
  audit: Look into a complaint
stores: { lake: { root: data } }
catalogs: { csv: { type: csv, store: lake } }
tables:
  orders:
    catalog: csv
    path: orders.csv
    columns:
      id: { type: bigint, nullable: false }
      amount: { type: double }
  customers:
    catalog: csv
    path: customers.csv
    columns: { id: { type: bigint } }
views:
  totals: { sql: "SELECT id, sum(amount) AS total FROM orders GROUP BY id" }
functions: { allow: ["@aggregate", lower, upper] }
policies: { cedar: [shop.cedar] }
queries:
  largest:
    parameters:
      above: { type: int, default: 0, maximum: 100 }
      top: { type: int }
    sql: "SELECT id, amount FROM orders WHERE amount > $above LIMIT $top"
`;

const folder = mkdtempSync(join(tmpdir(), 'ambit-versions-'));
let engine: Engine;
beforeAll(async () => {
  engine = await checkingEngine();
  writeFileSync(join(folder, 'shop.cedar'), '@id("all")\npermit (principal, action == Action::"open", resource);\n');
});
afterAll(async () => {
  await engine.close();
  rmSync(folder, { recursive: true });
});

type Change = (text: string) => string;

/** What is said of versions, each made of the first; its file is called after it. */
async function said(versions: Readonly<Record<string, Change>>): Promise<string> {
  const files = Object.entries({ '1.0.0': (text: string) => text, ...versions }).map(([version, change]) => {
    const file = join(folder, `${version}.yaml`);
    writeFileSync(file, change(contract).replace('version: 1.0.0', `version: ${version}`));
    return file;
  });
  try {
    await loadProducts(files.toReversed(), await loadEnvironment(null), engine);
    return 'nothing is wrong';
  } catch (error) {
    if (!(error instanceof ContractsInvalid)) throw error;
    return error.problems.map(formatProblem).join('\n').replaceAll(`${folder}/`, '');
  }
}

const hint = '\n  hint: whoever uses version 1 relies on it: put it back, or make this version 2.0.0';
const rows: readonly (readonly [string, Change, string])[] = [
  [
    'a purpose that is gone',
    (text) => text.replace(/ {2}audit: .*\n/, ''),
    '7:1  there is no purpose `audit`, which is',
  ],
  [
    'a table that is gone',
    (text) => text.replace(/ {2}customers:\n(.*\n){3}/, ''),
    '12:1  there is no table `customers`, which is',
  ],
  [
    'a column that is gone',
    (text) => text.replace('columns: { id: { type: bigint } }', 'columns: { number: { type: bigint } }'),
    '22:5  `customers` has no column `id`, which it has',
  ],
  [
    'a column of another type',
    (text) => text.replace('amount: { type: double }', 'amount: { type: real }'),
    '18:7  column `amount` of `orders` is `real`, and `double`',
  ],
  [
    'a column that may be NULL',
    (text) => text.replace(', nullable: false', ''),
    '17:7  column `id` of `orders` may be NULL, which it may not',
  ],
  [
    'a column of a view that is gone',
    (text) => text.replace('AS total', 'AS sum_of_all'),
    '24:3  `totals` has no column `total`, which it has',
  ],
  [
    'a function that is gone',
    (text) => text.replace(', lower', ''),
    '25:1  SQL may not call function `lower`, which it may',
  ],
  [
    'functions that are gone',
    (text) => text.replace(', lower, upper', ''),
    '25:1  SQL may not call functions `lower`, `upper`, which it may',
  ],
  [
    'a query that is gone',
    (text) => text.replace('  largest:', '  biggest:'),
    '27:1  there is no query `largest`, which is',
  ],
  [
    'a parameter that must be given now',
    (text) => text.replace('default: 0, ', ''),
    '30:7  parameter `above` of query `largest` must be given, which it need not',
  ],
  [
    'a parameter of another type',
    (text) => text.replace('top: { type: int }', 'top: { type: bigint }'),
    '31:7  parameter `top` of query `largest` is `bigint`, and `int`',
  ],
  [
    'a parameter that takes less',
    (text) => text.replace('maximum: 100', 'maximum: 10'),
    '30:7  parameter `above` of query `largest` is 10 at most, and 100',
  ],
];

describe('a version that breaks what one before it gives is refused', () => {
  it.each(rows)('%s', async (_, change, expected) => {
    expect(change(contract)).not.toBe(contract);
    const found = await said({ '1.1.0': change });
    expect(found.split('\n').filter((line) => line.startsWith('1.1.0.yaml:'))).toContain(
      `1.1.0.yaml:${expected} in 1.0.0 in \`1.0.0.yaml\``,
    );
    expect(found).toContain(hint);
    // With another major it may, and before a release of its own it is still told.
    expect(await said({ '2.0.0': change })).toBe('nothing is wrong');
    expect(await said({ '1.1.0-rc.1': change })).not.toBe('nothing is wrong');
  });

  it('names every one of them, against the release before it alone', async () => {
    const found = await said({
      '1.1.0': (text) =>
        text.replace('amount: { type: double }', 'amount: { type: double }\n      more: { type: int }'),
      '1.2.0': (text) =>
        text.replace('amount: { type: double }', 'amount: { type: real }').replace(/ {2}audit: .*\n/, ''),
    });
    const lines = found.split('\n').filter((line) => line.startsWith('1.2.0.yaml:'));
    expect(lines).toContain('1.2.0.yaml:7:1  there is no purpose `audit`, which is in 1.1.0 in `1.1.0.yaml`');
    expect(lines).toContain(
      '1.2.0.yaml:16:5  `orders` has no column `more`, which it has in 1.1.0 in `1.1.0.yaml`'.replace('16:5', '15:5'),
    );
    expect(lines).toContain(
      '1.2.0.yaml:17:7  column `amount` of `orders` is `real`, and `double` in 1.1.0 in `1.1.0.yaml`',
    );
  });
});

describe('a version that gives more', () => {
  it.each<readonly [string, Change]>([
    [
      'columns',
      (text) => text.replace('amount: { type: double }', 'amount: { type: double }\n      more: { type: int }'),
    ],
    [
      'parameters that need not be given',
      (text) =>
        text
          .replace('top: { type: int }', 'top: { type: int }\n      x: { type: int, default: 1 }')
          .replace('LIMIT', 'AND $x > 0 LIMIT'),
    ],
    ['functions', (text) => text.replace('lower, upper', 'lower, "@string"')],
    ['certainty', (text) => text.replace('amount: { type: double }', 'amount: { type: double, nullable: false }')],
    ['wider bounds', (text) => text.replace('maximum: 100', 'maximum: 1000')],
    [
      'stricter policies',
      (text) =>
        text.replace(
          'policies: { cedar: [shop.cedar] }',
          'policies: { cedar: [shop.cedar], masks: { no: { table: orders, column: amount, with: "0.0" } } }',
        ),
    ],
    [
      'a view in place of a table',
      (text) =>
        text.replace(/ {2}customers:\n(.*\n){3}views:/, 'views:\n  customers: { sql: "SELECT id FROM orders" }'),
    ],
  ])('%s', async (_, change) => {
    expect(change(contract)).not.toBe(contract);
    expect(await said({ '1.1.0': change })).toBe('nothing is wrong');
  });
});

describe('a deprecation', () => {
  const ending =
    (words: string): Change =>
    (text) =>
      text.replace('tenant: north', `deprecation: { ${words} }\ntenant: north`);
  it.each([
    ['since: 2026-02-30', '5:23  there is no day `2026-02-30`\n  hint: a date, as 2027-06-30'],
    [
      'since: 2026-02-01, sunset: 2026-02-01',
      '5:43  it ends on 2026-02-01, and is deprecated since 2026-02-01\n  hint: it ends after it is deprecated',
    ],
    ['since: 2026-02-01, successor: 1.0.0', '5:46  `1.0.0` does not come after `1.1.0`\n  hint: name a later version'],
    [
      'sunset: 2026-02-01',
      '5:1  `since` is missing\n  hint: From when on nobody should begin to use it: a date, as 2027-06-30',
    ],
  ])('%s', async (words, expected) => {
    expect(await said({ '1.1.0': ending(words) })).toBe(`1.1.0.yaml:${expected}`);
  });
});

it('two files of one version, and versions of two tenants, are refused', async () => {
  const other = join(folder, 'other.yaml');
  writeFileSync(other, contract);
  writeFileSync(join(folder, '1.0.0.yaml'), contract);
  const problems = async (): Promise<string> => {
    try {
      await loadProducts([join(folder, '1.0.0.yaml'), other], await loadEnvironment(null), engine);
      return '';
    } catch (error) {
      return (error as ContractsInvalid).problems.map(formatProblem).join('\n').replaceAll(`${folder}/`, '');
    }
  };
  expect(await problems()).toBe(
    'other.yaml:4:10  `1.0.0.yaml` has version 1.0.0 of `shop` too\n  hint: a server serves each version of a name once',
  );
  writeFileSync(other, contract.replace('1.0.0', '2.0.0').replace('tenant: north', 'tenant: south'));
  expect(await problems()).toBe(
    'other.yaml:5:9  versions of `shop` belong to two tenants\n  hint: `1.0.0.yaml` is of `north`; give this product another name',
  );
});
