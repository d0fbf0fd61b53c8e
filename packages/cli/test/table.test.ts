import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { bytesText, counted, microsText, printable, widthOf } from '../src/display.ts';
import { table } from '../src/table.ts';

const columns = [
  { name: 'origin', type: 'string' },
  { name: 'flights', type: 'bigint' },
  { name: 'delay', type: 'decimal(10, 2)' },
];

describe('a table', () => {
  test('aligns texts to the left, numbers to the right, and shows NULL', () => {
    expect(
      table(columns, [
        ['ATL', 12345, '1.50'],
        [null, '7', null],
      ]),
    ).toBe(
      ['origin  flights  delay', '------  -------  -----', 'ATL       12345   1.50', 'NULL          7   NULL', ''].join(
        '\n',
      ),
    );
  });

  test('without rows is its header', () => {
    expect(table(columns, [])).toBe('origin  flights  delay\n------  -------  -----\n');
  });

  test('tells NULL from the text NULL, and shows nested values as JSON', () => {
    expect(table([{ name: 'a', type: 'string' }], [['NULL'], [null], [{ b: [1] }], [true]])).toBe(
      'a\n---------\n"NULL"\nNULL\n{"b":[1]}\ntrue\n',
    );
  });

  test('lets no value reach the terminal as a control sequence', () => {
    const text = table([{ name: 'a\u001b[2J', type: 'string' }], [['\u001b]0;x\u0007\r\nb\u202e'], ['\u009b1m']]);
    expect(text).not.toMatch(/(?!\n)[\p{Cc}\u202e]/u);
    expect(text.split('\n')).toHaveLength(5);
  });

  test('has lines of one width, whatever the values', () => {
    const cell = fc.oneof(fc.string({ unit: 'grapheme' }), fc.constant(null), fc.integer());
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, cell), { maxLength: 8 }), (rows) => {
        const bounded = rows.map((row) => [...row, '|']);
        const lines = table(
          [
            { name: 'a', type: 'string' },
            { name: 'b', type: 'bigint' },
            { name: '|', type: 'string' },
          ],
          bounded,
        )
          .split('\n')
          .slice(0, -1);
        expect(lines).toHaveLength(rows.length + 2);
        const widths = new Set(lines.map((line) => widthOf(line)));
        expect(widths.size).toBe(1);
      }),
    );
  });
});

test('widths on a terminal', () => {
  expect(['', 'abc', 'é', 'e\u0301', '日本', '👩‍👩‍👧', '한', 'Ω'].map(widthOf)).toEqual([0, 3, 1, 1, 4, 2, 2, 1]);
});

test('line ends are kept where a text has lines', () => {
  expect(printable('a\n\tb\u0007', 'keep')).toBe('a\n\tb\\u{7}');
  expect(printable('a\nb')).toBe('a\\nb');
});

test('sizes, times and counts for people', () => {
  expect([0, 1023, 1536, 52_428_800, 2 ** 41].map(bytesText)).toEqual([
    '0 B',
    '1023 B',
    '1.5 KiB',
    '50 MiB',
    '2.0 TiB',
  ]);
  expect([850, 1200, 12_345, 3_400_000].map(microsText)).toEqual(['850 µs', '1.2 ms', '12 ms', '3.4 s']);
  expect([counted(1, 'row'), counted(0, 'row'), counted(1234567, 'row')]).toEqual([
    '1 row',
    '0 rows',
    '1,234,567 rows',
  ]);
});
