import { Type } from 'typebox';
import { problems } from './problems.ts';

// One object validates, serialises and documents.

const nullable = <T extends object>(schema: T) => ({ anyOf: [schema, { type: 'null' }] });

export const Problem = {
  type: 'object',
  required: ['type', 'title', 'status', 'detail', 'code', 'boundary'],
  properties: {
    type: { type: 'string', description: 'urn:ambit:problem:CODE' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    code: { type: 'string', enum: Object.keys(problems) },
    boundary: { type: 'string', description: 'The boundary that refused' },
    hint: nullable({ type: 'string' }),
    session: nullable({ type: 'string' }),
    position: nullable({ type: 'object', properties: { line: { type: 'integer' }, column: { type: 'integer' } } }),
  },
} as const;

const Name = Type.String({ minLength: 1, maxLength: 64, pattern: '^[a-z][a-z0-9_-]*$' });
export const ProductParams = Type.Object({ product: Name });
export const QueryParams = Type.Object({ product: Name, name: Name });
export const SessionParams = Type.Object({ session: Type.String({ pattern: '^ses_[0-9a-f]{32}$' }) });

export const PurposeHeader = Type.Object({
  'ambit-purpose': Type.Optional(
    Type.String({ description: 'Why: one of the purposes of the product', maxLength: 64 }),
  ),
});

const Scalar = Type.Union([Type.String({ maxLength: 65_536 }), Type.Number(), Type.Boolean()]);
const TypedParameter = Type.Object(
  { type: Type.String({ maxLength: 64 }), value: Type.Union([Scalar, Type.Null()]) },
  { additionalProperties: false },
);
const Parameters = Type.Record(
  Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]{0,62}$' }),
  Type.Union([Scalar, TypedParameter]),
  {
    additionalProperties: false,
    description: 'By name: a JSON value, or {type, value}',
  },
);
const Purpose = Type.Optional(Type.String({ maxLength: 64, description: 'Instead of the Ambit-Purpose header' }));

export const QueryBody = Type.Object(
  {
    sql: Type.String({ minLength: 1, description: 'One query, with $name parameters' }),
    parameters: Type.Optional(Parameters),
    purpose: Purpose,
  },
  { additionalProperties: false },
);

export const NamedQueryBody = Type.Object(
  { parameters: Type.Optional(Parameters), purpose: Purpose },
  { additionalProperties: false },
);

export const Rows = {
  type: 'object',
  required: ['columns', 'rows', 'complete'],
  properties: {
    columns: {
      type: 'array',
      items: {
        type: 'object',
        required: ['name', 'type', 'nullable'],
        properties: { name: { type: 'string' }, type: { type: 'string' }, nullable: { type: 'boolean' } },
      },
    },
    rows: { type: 'array', items: { type: 'array' }, description: 'Values in the order of the columns' },
    complete: { const: true, description: 'Only there when all rows are' },
  },
} as const;

/** Statuses that every route can answer, and those of one. */
export function refusals(...statuses: number[]): Record<number, unknown> {
  const all = [400, 401, 404, 406, 413, 415, 500, 503, ...statuses];
  return Object.fromEntries(
    [...new Set(all)]
      .toSorted((a, b) => a - b)
      .map((status) => [
        status,
        { description: 'Refused or failed', content: { 'application/problem+json': { schema: Problem } } },
      ]),
  );
}
