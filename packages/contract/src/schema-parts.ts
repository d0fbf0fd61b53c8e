import { Type, type TSchema } from 'typebox';
import { DURATION_PATTERN } from './units.ts';

// What schemas are made of.

/** Other members are refused. */
export const strict = { additionalProperties: false } as const;
/** A text that says something. */
export const text = (description: string) => Type.String({ description, minLength: 1, maxLength: 4_000 });
/** Marks a text that names a file or folder. An editor is not told of it. */
export const PATH: unique symbol = Symbol('path');
/** A file or folder: where it is relative, it is so to the file that says it. */
export const path = (description: string) => Type.String({ description, minLength: 1, maxLength: 4_000, [PATH]: true });
/** One of these words. */
export const oneOf = <const T extends readonly string[]>(words: T, options: object = {}) =>
  Type.Unsafe<T[number]>({ anyOf: words.map((word) => ({ const: word })), ...options });
/** A member that may be left out. */
export const opt = <T extends TSchema>(schema: T) => Type.Optional(schema);
/** A time span. */
export const Duration = (description: string) =>
  Type.String({ pattern: DURATION_PATTERN, description: `${description}: 500ms, 30s, 5m` });

/** Names that stand in URLs, policies and records. */
export const NAME = '^[a-z][a-z0-9_-]{0,62}$';
/** A map whose keys are names of a pattern. */
export const map = <T extends TSchema>(pattern: string, value: T, description: string) =>
  Type.Record(Type.String({ pattern }), value, { description, additionalProperties: false });
