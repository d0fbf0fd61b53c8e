import { type BoundaryParameter, isTextForNumber } from '@ambit/contract';
import type { TypedValue } from '@ambit/engine';
import { Refused } from './errors.ts';

/** A value as a consumer gives it: JSON, or `{type, value}` where the type matters. */
export type GivenValue = string | number | boolean | null | { readonly type: string; readonly value: unknown };

/** Parameters of free SQL: the type is the JSON value's, unless it is given. */
export function inferParameters(given: Readonly<Record<string, GivenValue>>): Record<string, TypedValue> {
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [name, infer(name, value)]));
}

function infer(name: string, value: GivenValue): TypedValue {
  if (typeof value === 'string') return { type: 'string', value };
  if (typeof value === 'boolean') return { type: 'boolean', value };
  if (typeof value === 'number') {
    const type = Number.isSafeInteger(value) ? 'bigint' : 'double';
    return { type, value: exact(name, type, value) };
  }
  if (value === null)
    throw new Refused(
      'parameter_invalid',
      `parameter \`${name}\` is null without a type`,
      'write {"type": "string", "value": null}',
      [],
    );
  return { type: value.type, value: exact(name, value.type, value.value) };
}

/** JSON has rounded it before anybody could look: it is refused where digits count, not taken for what was written. */
function exact(name: string, type: string, value: unknown): unknown {
  const rounded = typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value);
  if (!rounded) return value;
  if (floats.includes(type)) return String(value);
  throw new Refused(
    'parameter_invalid',
    `parameter \`${name}\` is larger than a JSON number holds exactly`,
    'write its digits as text',
    [],
  );
}

const floats = ['real', 'double'];

/**
 * Parameters of a named query: typed by the contract, with its defaults. Text of a URL is read as the type; text in JSON
 * only where JSON has nothing that is exact.
 */
export function declaredParameters(
  declared: Readonly<Record<string, BoundaryParameter>>,
  given: Readonly<Record<string, GivenValue>>,
  from: 'url' | 'json' = 'json',
): Record<string, TypedValue> {
  const names = Object.keys(declared);
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(declared, name));
  if (unknown !== undefined) {
    throw new Refused(
      'parameter_invalid',
      `the query has no parameter \`${unknown}\``,
      names.length === 0 ? 'it takes none' : `it takes: ${names.join(', ')}`,
      [],
    );
  }
  return Object.fromEntries(
    Object.entries(declared).map(([name, { type, default: fallback, minimum, maximum }]) => {
      const value = (Object.hasOwn(given, name) ? given[name] : undefined) ?? fallback;
      if (value === null)
        throw new Refused('parameter_invalid', `parameter \`${name}\` is missing`, `it is a ${type}`, []);
      if (from === 'json' && isTextForNumber(type, value))
        throw new Refused('parameter_invalid', `parameter \`${name}\` is a number`, 'write it without quotes', []);
      if (typeof value === 'object')
        throw new Refused('parameter_invalid', `parameter \`${name}\` is typed by the contract`, `give a ${type}`, []);
      const typed = exact(name, type, read(type, value));
      checkBounds(name, typed, minimum, maximum);
      return [name, { type, value: typed }];
    }),
  );
}

/** Text that is no number is left to the engine, which knows the type. */
function checkBounds(name: string, value: unknown, minimum: number | null, maximum: number | null): void {
  const number = Number(value);
  if (number < (minimum ?? number)) throw outside(name, `at least ${minimum}`);
  if (number > (maximum ?? number)) throw outside(name, `at most ${maximum}`);
}

function outside(name: string, bound: string): Refused {
  return new Refused('parameter_invalid', `parameter \`${name}\` is not within its bounds`, `it is ${bound}`, []);
}

function read(type: string, value: string | number | boolean): unknown {
  if (typeof value !== 'string') return value;
  if (type === 'boolean' && (value === 'true' || value === 'false')) return value === 'true';
  return value;
}
