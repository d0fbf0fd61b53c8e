import { isDeepStrictEqual } from 'node:util';
import type { Expectation } from './suite.ts';

/** What a subject got. */
export type Seen =
  | { readonly columns: readonly string[]; readonly rows: readonly (readonly unknown[])[] }
  | { readonly refused: string; readonly message: string }
  | { readonly allowed: boolean };

/** Rows that a complaint quotes. */
const QUOTED_MAX = 5;

/** What is not as expected, in sentences; none: the test passes. */
export function complaints(expect: Expectation, seen: Seen): readonly string[] {
  if ('allowed' in seen) {
    if (expect.allowed === seen.allowed) return [];
    return [seen.allowed ? 'it must not be allowed, and is' : 'it must be allowed, and is not'];
  }
  if ('refused' in seen) {
    if (expect.refused === seen.refused) return [];
    const wanted = expect.refused === undefined ? 'rows were expected' : `\`${expect.refused}\` was expected`;
    return [`${wanted}, and it was refused with \`${seen.refused}\`: ${seen.message}`];
  }
  if (expect.refused !== undefined)
    return [`\`${expect.refused}\` was expected, and it got ${count(seen.rows)}${quoted(seen.rows)}`];
  return [
    ...ofColumns(expect, seen.columns),
    ...ofRows(expect, seen.rows),
    ...(expect.count === undefined || expect.count === seen.rows.length
      ? []
      : [`${expect.count} rows were expected, and it got ${seen.rows.length}`]),
    ...(expect.includes ?? [])
      .filter((row) => !seen.rows.some((other) => same(row, other)))
      .map((row) => `not there: ${text(row)}`),
    ...(expect.excludes ?? [])
      .filter((row) => seen.rows.some((other) => same(row, other)))
      .map((row) => `there, and must not be: ${text(row)}`),
  ];
}

function ofColumns({ columns }: Expectation, seen: readonly string[]): readonly string[] {
  if (columns === undefined || isDeepStrictEqual([...columns], [...seen])) return [];
  return [`columns ${columns.join(', ')} were expected, and it got ${seen.join(', ')}`];
}

function ofRows({ rows, ordered }: Expectation, seen: readonly (readonly unknown[])[]): readonly string[] {
  if (rows === undefined) return [];
  if (ordered === true) {
    const at = rows.findIndex((row, index) => !same(row, seen[index] ?? []));
    if (at === -1 && rows.length === seen.length) return [];
    if (at === -1) return [`${count(rows)} were expected, and it got ${seen.length}`];
    return [
      `row ${at + 1} is ${seen[at] === undefined ? 'not there' : text(seen[at])}, expected ${text(rows[at] ?? [])}`,
    ];
  }
  // Each row of the answer is one of those that were expected: as often as it stands there.
  const left = [...seen];
  const missing = rows.filter((row) => {
    const at = left.findIndex((other) => same(row, other));
    if (at !== -1) left.splice(at, 1);
    return at === -1;
  });
  return [
    ...(missing.length === 0 ? [] : [`not there:${quoted(missing)}`]),
    ...(left.length === 0 ? [] : [`there, and not expected:${quoted(left)}`]),
  ];
}

function same(expected: readonly unknown[], seen: readonly unknown[]): boolean {
  return expected.length === seen.length && expected.every((value, at) => alike(value, seen[at]));
}

/** Sums of fractions come in no order that would make them equal to the last bit. */
function alike(expected: unknown, seen: unknown): boolean {
  if (typeof expected === 'number' && typeof seen === 'number') {
    if (Number.isInteger(expected) && Number.isInteger(seen)) return expected === seen;
    return Math.abs(expected - seen) <= 1e-9 * Math.max(Math.abs(expected), Math.abs(seen));
  }
  return isDeepStrictEqual(expected, seen);
}

function count(rows: readonly unknown[]): string {
  return rows.length === 1 ? '1 row' : `${rows.length} rows`;
}

function quoted(rows: readonly (readonly unknown[])[]): string {
  const lines = rows.slice(0, QUOTED_MAX).map((row) => `\n  ${text(row)}`);
  const rest = rows.length - lines.length;
  return `${lines.join('')}${rest > 0 ? `\n  and ${rest} more` : ''}`;
}

function text(row: readonly unknown[]): string {
  return JSON.stringify(row);
}
