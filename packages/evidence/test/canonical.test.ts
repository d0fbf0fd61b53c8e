import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { canonical, membersAround, sha256 } from '../src/canonical.ts';
import type { Json } from '../src/record.ts';
import { fc, test } from './properties.ts';

const text = fc.string({ unit: 'grapheme' }).filter((value) => !/[\uD800-\uDFFF]/u.test(value));
const json = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    text,
    fc.array(tie('value')),
    fc.dictionary(text, tie('value')),
  ),
})).value;

describe('canonical JSON', () => {
  test(json, 'says the same as the value', (value) => {
    // Through JSON.parse, because a generated dictionary has no prototype and may hold -0.
    expect(JSON.parse(canonical(value))).toEqual(JSON.parse(JSON.stringify(value)));
  });

  test(json, 'is its own canonical form', (value) => {
    const once = canonical(value);
    expect(canonical(JSON.parse(once) as Json)).toBe(once);
  });

  test(fc.dictionary(text, fc.integer()), 'does not depend on the order of members', (members) => {
    const entries = Object.entries(members);
    expect(canonical(Object.fromEntries(entries.toReversed()))).toBe(canonical(members));
  });

  const cut = fc.tuple(fc.dictionary(text, json), fc.dictionary(text, fc.integer(), { minKeys: 1 }));
  test(cut, 'of members that come in two steps is that of all of them', ([members, late]) => {
    const names = Object.keys(late).sort();
    const early = Object.fromEntries(Object.entries(members).filter(([name]) => !names.includes(name)));
    const pieces = membersAround(names, early);
    const written = names.map((name, at) => `${at === 0 ? '' : ','}${canonical(name)}:${late[name]}`);
    const whole = pieces.map((piece, at) => (at === 0 ? piece : `${written[at - 1]}${piece}`)).join('');
    expect(`{${whole}}`).toBe(canonical({ ...early, ...late }));
  });

  it('orders members by UTF-16 code units, as the example of RFC 8785 does', () => {
    const value = { '€': 1, '\r': 2, '\ufb33': 3, '1': 4, '\u{1f600}': 5, '\u0080': 6, ö: 7 };
    expect(Object.values(JSON.parse(canonical(value)) as object)).toHaveLength(7);
    expect(canonical(value)).toBe('{"\\r":2,"1":4,"\u0080":6,"ö":7,"€":1,"\u{1f600}":5,"\ufb33":3}');
  });

  it.each([1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])('refuses the number %s', (value) => {
    expect(() => canonical({ a: [value] })).toThrow(TypeError);
  });

  it('refuses half a surrogate pair, in a value and in a name', () => {
    expect(() => canonical('\ud800')).toThrow(TypeError);
    expect(() => canonical({ '\udc00': 1 })).toThrow(TypeError);
  });

  test(fc.string({ unit: 'grapheme' }), 'digests text as its UTF-8 bytes', (value) => {
    expect(sha256(value)).toBe(createHash('sha256').update(Buffer.from(value, 'utf8')).digest('hex'));
  });
});
