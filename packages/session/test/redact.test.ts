import type { Boundary } from '@ambit/contract';
import type { Grant } from '@ambit/policy';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { redactSql } from '../src/sealing/redact.ts';
import { wordsOf } from '../src/sealing/words.ts';

const boundary = {
  tables: { emp: {}, payroll: {} },
  views: { earners: { columns: [{ name: 'earned' }] } },
  queries: { late: { columns: [], parameters: { minutes: {} } }, hidden: { columns: [], parameters: { quiet: {} } } },
} as unknown as Boundary;
const grant = {
  tables: { emp: { columns: [{ name: 'id' }, { name: 'Full Name' }, { name: 'salary' }] } },
  views: { earners: {} },
  functions: ['lower', 'count'],
  queries: ['late'],
} as unknown as Grant;
const words = wordsOf(boundary, grant);
const redacted = (sql: string): string => redactSql(sql, words);

test.each([
  [
    "SELECT id FROM emp WHERE salary > 10.5e-3 AND lower(x) = 'a''b'",
    'SELECT id FROM emp WHERE salary > ? AND lower(?) = ?',
  ],
  ['select ID, "Full Name", "full name" from EMP e', 'SELECT id, "Full Name", "?" FROM emp ?'],
  [
    '-- a\nSELECT/* b /* c */ d */$$e$$, $t$f $$ g$t$, $minutes, $h, $1',
    '/* ? */\nSELECT/* ? */?, ?, $minutes, $?, $?',
  ],
  [String.raw`SELECT E'a\'b', X'ff', U&'d', N'e', 'f\' || id`, 'SELECT ?, ?, ?, ?, ? || id'],
  ["SELECT 'no end", 'SELECT ?'],
  ['SELECT "no end', 'SELECT "?"'],
  ['SELECT /* no end', 'SELECT /* ? */'],
  ['SELECT $$no end', 'SELECT ?'],
  ['SELECT `id`, `x`, é, 中文, 🙂', 'SELECT "id", "?", ?, ?, ??'],
  ['SELECT earned FROM earners', 'SELECT earned FROM earners'],
])('%s', (sql, shown) => {
  expect(redacted(sql)).toBe(shown);
});

test('a name that the subject was denied shows like one that was never there', () => {
  expect(redacted('SELECT quiet FROM payroll WHERE $quiet')).toBe(redacted('SELECT nobody FROM nothing WHERE $none'));
});

test('whatever is asked, nothing is shown but words that may be, signs and ?', () => {
  const piece = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(
      "'",
      '"',
      '`',
      '$',
      '$$',
      '$a$',
      '--',
      '/*',
      '*/',
      '\\',
      "E'",
      '\n',
      ' ',
      '.',
      '1',
      'e',
      'SELECT',
      'id',
    ),
    fc.stringMatching(/^[a-z0-9_ ]{1,12}$/),
  );
  const allowed =
    /^(?:[^\p{L}\p{N}_"`'\\$]|\$(?:minutes|\?)|"(?:\?|id|Full Name|salary|emp|earners|earned|lower|count)")$/u;
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      const shown = redacted(pieces.join(''));
      const tokens = shown.match(/"[^"]*"|\$(?:\?|\p{L}+)|[\p{L}\p{N}_]+|[\s\S]/gu) ?? [];
      for (const token of tokens) {
        const known = words.keyword(token) === token || words.name(token) === token;
        expect(known || allowed.test(token), JSON.stringify([pieces.join(''), shown, token])).toBe(true);
        // Of other scripts and of what does not print there is nothing, not even a sign.
        expect(token).toMatch(/^[ -~\n]+$/);
      }
    }),
    { numRuns: 2_000 },
  );
});

test('a statement of a megabyte is redacted in no time', () => {
  const text = 'ab\\"/*$'.repeat(150_000);
  for (const sql of [
    `SELECT '${text}'`,
    `SELECT '${text}`,
    `SELECT E'${text}`,
    `SELECT "${text.replaceAll('"', '')}`,
    `/*${text}`,
    text,
  ]) {
    const start = performance.now();
    expect(redacted(sql)).not.toContain('ab');
    expect(performance.now() - start).toBeLessThan(2_000);
  }
});
