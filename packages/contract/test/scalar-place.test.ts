import fc from 'fast-check';
import { expect, it } from 'vitest';
import { isScalar, parseDocument, type Scalar, stringify } from 'yaml';
import { offsetInFile } from '../src/scalar-place.ts';

/** Words that differ, so that each stands in one place alone. */
const words = fc.array(fc.constantFrom('SELECT', "'it''s'", '"id"', 'größe', '👍', 'a\\b', '#x', 'a: b'), {
  minLength: 1,
  maxLength: 12,
});
const gaps = fc.array(fc.constantFrom(' ', '  ', '\n', '\n\n', '\n  ', ' \n', '\t'), { minLength: 12, maxLength: 12 });
const styles = fc.constantFrom('PLAIN', 'QUOTE_DOUBLE', 'QUOTE_SINGLE', 'BLOCK_LITERAL', 'BLOCK_FOLDED' as const);

it('is where the word stands in the file, whatever style the scalar has', () => {
  fc.assert(
    fc.property(
      words,
      gaps,
      styles,
      fc.integer({ min: 20, max: 120 }),
      fc.integer({ min: 1, max: 4 }),
      (parts, between, style, width, indent) => {
        const text = parts.map((word, at) => `${word}${at}${between[at] ?? ' '}`).join('');
        const file = stringify(
          { views: { v: { sql: text, last: 1 } } },
          { defaultStringType: style, lineWidth: width, indent: Math.max(2, indent) },
        );
        const scalar = parseDocument(file).getIn(['views', 'v', 'sql'], true);
        if (!isScalar(scalar)) throw new Error('not a scalar');
        const value = String(scalar.value);
        for (const [at, word] of parts.entries()) {
          const found = value.indexOf(`${word}${at}`);
          const offset = offsetInFile(file, scalar, found);
          // Quotes and escapes begin alike: the first letter that is written as it is, is enough.
          const letter = word.replace(/^['"\\]+/, '')[0] ?? '';
          const skipped = word.indexOf(letter);
          const place = offsetInFile(file, scalar, found + skipped);
          expect(place).toBeGreaterThanOrEqual(offset);
          if (/^[A-Za-z#]/.test(letter)) expect(file[place]).toBe(letter);
        }
      },
    ),
    { numRuns: 500 },
  );
});

it.each([
  ['|\n      SELECT a,\n        b', 'b', 3, 9],
  ['|2\n        SELECT a,\n      b', 'b', 3, 7],
  ['>-\n      SELECT a,\n\n      b', 'b', 4, 7],
  ['SELECT a,\n      b', 'b', 2, 7],
  ['"SELECT \\u0061,\\n \\"b\\""', 'b', 1, 26],
  ['"SELECT a, \\\n      b"', 'b', 2, 7],
  ["'SELECT ''a'', b'", 'b', 1, 21],
])('%j: %s', (written, word, line, column) => {
  const file = `sql: ${written}\n`;
  const scalar = parseDocument(file).get('sql', true) as Scalar;
  const offset = offsetInFile(file, scalar, String(scalar.value).indexOf(word));
  const before = file.slice(0, offset);
  expect([before.split('\n').length, offset - before.lastIndexOf('\n')]).toEqual([line, column]);
});
