import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { declaredParameters, inferParameters } from '../src/parameters.ts';

const parameter = (type: string, fallback: string | number | boolean | null = null) => ({
  type,
  description: '',
  default: fallback,
  minimum: null,
  maximum: null,
});

describe('parameters of free SQL', () => {
  it('keep every value as it is given', () => {
    const values = fc.dictionary(
      fc.stringMatching(/^[a-z_]{1,8}$/).filter((name) => name !== '__proto__'),
      fc.oneof(fc.string(), fc.boolean(), fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true })),
    );
    fc.assert(
      fc.property(values, (given) => {
        const inferred = inferParameters(given);
        expect(Object.keys(inferred)).toEqual(Object.keys(given));
        for (const [name, { type, value }] of Object.entries(inferred)) {
          // A double that looks like a whole number goes as text: a reader would want its last digits.
          expect(typeof given[name] === 'number' ? Number(value) : value).toBe(given[name]);
          if (typeof given[name] === 'string') expect(type).toBe('string');
          if (typeof value === 'boolean') expect(type).toBe('boolean');
          if (type === 'bigint') expect(Number.isSafeInteger(value)).toBe(true);
        }
      }),
    );
  });

  it('take the type that is given, and need one for null', () => {
    expect(inferParameters({ a: { type: 'date', value: '2001-01-01' } })).toEqual({
      a: { type: 'date', value: '2001-01-01' },
    });
    expect(inferParameters({ a: { type: 'string', value: null } })).toEqual({ a: { type: 'string', value: null } });
    expect(() => inferParameters({ a: null })).toThrow('null without a type');
  });
});

describe('parameters of a named query', () => {
  it('are those that it declares, given or by default', () => {
    const declared = { top: parameter('int', 10), from: parameter('date') };
    expect(declaredParameters(declared, { from: '2001-01-01' })).toEqual({
      top: { type: 'int', value: 10 },
      from: { type: 'date', value: '2001-01-01' },
    });
    expect(() => declaredParameters(declared, {})).toThrow('`from` is missing');
    expect(() => declaredParameters(declared, { from: 'x', more: 1 })).toThrow('no parameter `more`');
    expect(() => declaredParameters(declared, { from: { type: 'int', value: 1 } })).toThrow('typed by the contract');
  });

  it('are none that an object has by nature', () => {
    for (const name of ['toString', 'constructor', 'hasOwnProperty', '__proto__']) {
      const given = Object.fromEntries([[name, 'x']]);
      expect(() => declaredParameters({}, given), name).toThrow('no parameter');
    }
    const declared = { constructor: parameter('string') } as unknown as Parameters<typeof declaredParameters>[0];
    expect(() => declaredParameters(declared, {})).toThrow('is missing');
  });

  it('read what a URL gives as the type, and leave the rest to the engine', () => {
    const read = (type: string, text: string): unknown =>
      declaredParameters({ a: parameter(type) }, { a: text }, 'url')['a']?.value;
    expect(read('boolean', 'true')).toBe(true);
    expect(read('boolean', 'false')).toBe(false);
    expect(read('boolean', '1')).toBe('1');
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(read('double', String(value))).toBe(String(value));
      }),
    );
    expect(read('double', '')).toBe('');
    expect(read('double', '1e999')).toBe('1e999');
    expect(read('double', '1e3')).toBe('1e3');
    expect(read('bigint', '9007199254740993')).toBe('9007199254740993');
    expect(read('string', 'true')).toBe('true');
  });
});
