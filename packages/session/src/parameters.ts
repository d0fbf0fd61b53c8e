import type { BoundaryParameter } from '@ambit/contract';
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
  if (typeof value === 'number') return { type: Number.isSafeInteger(value) ? 'bigint' : 'double', value };
  if (value === null)
    throw new Refused(
      'parameter_invalid',
      `parameter \`${name}\` is null without a type`,
      'write {"type": "string", "value": null}',
      [],
    );
  return { type: value.type, value: value.value };
}

/** Parameters of a named query: typed by the contract, with its defaults. Text is read as the type, as a URL gives it. */
export function declaredParameters(
  declared: Readonly<Record<string, BoundaryParameter>>,
  given: Readonly<Record<string, GivenValue>>,
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
    Object.entries(declared).map(([name, { type, default: fallback }]) => {
      const value = (Object.hasOwn(given, name) ? given[name] : undefined) ?? fallback;
      if (value === null)
        throw new Refused('parameter_invalid', `parameter \`${name}\` is missing`, `it is a ${type}`, []);
      if (typeof value === 'object')
        throw new Refused('parameter_invalid', `parameter \`${name}\` is typed by the contract`, `give a ${type}`, []);
      return [name, { type, value: read(type, value) }];
    }),
  );
}

function read(type: string, value: string | number | boolean): unknown {
  if (typeof value !== 'string') return value;
  if (type === 'boolean' && (value === 'true' || value === 'false')) return value === 'true';
  if (['real', 'double'].includes(type) && value.trim() !== '' && Number.isFinite(Number(value))) return Number(value);
  return value;
}
