import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalize, digest } from '../src/index.ts';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const { json } = fc.letrec<{ json: Json }>((tie) => ({
  json: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    fc.string({ unit: 'grapheme' }),
    fc.array(tie('json'), { maxLength: 4 }),
    fc.dictionary(fc.string({ unit: 'grapheme', maxLength: 6 }), tie('json'), { maxKeys: 4, noNullPrototype: true }),
  ),
}));

/** The same value, its keys put in another order. */
function reordered(value: Json): Json {
  if (Array.isArray(value)) return value.map(reordered);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([key, each]) => [key, reordered(each)]),
  );
}

describe('canonical JSON', () => {
  it('is JSON, and means the same', () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(JSON.parse(canonicalize(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('does not move with the order of keys', () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(canonicalize(reordered(value))).toBe(canonicalize(value));
      }),
    );
  });

  it('differs where values differ', () => {
    fc.assert(
      fc.property(json, json, (a, b) => {
        expect(digest(a) === digest(b)).toBe(
          JSON.stringify(reordered(sorted(a))) === JSON.stringify(reordered(sorted(b))),
        );
      }),
    );
  });

  it('orders keys by UTF-16 units, as RFC 8785 says', () => {
    expect(canonicalize({ '\u{1F600}': 1, '\uFB33': 2, a: 3, B: 4, '': 5 })).toBe(
      '{"":5,"B":4,"a":3,"\u{1F600}":1,"\uFB33":2}',
    );
  });

  it.each([1.5, Number.NaN, 2 ** 53, undefined, '\ud800', { a: 0.1 }])('refuses %j', (value) => {
    expect(() => canonicalize(value)).toThrow(TypeError);
  });
});

function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  const keys = Object.keys(value).toSorted((a, b) => (a < b ? -1 : 1));
  return Object.fromEntries(keys.map((key) => [key, sorted(value[key] as Json)]));
}
