import { Type } from 'typebox';
import { problems, type ProblemCode } from './problems.ts';

// One object validates and documents.

const text = Type.String();
const nullable = <T extends object>(schema: T) => ({ anyOf: [schema, { type: 'null' }] });

/** Schemas that documents name. */
export const components = {
  Problem: {
    type: 'object',
    required: ['type', 'title', 'status', 'detail', 'code', 'boundary', 'hint', 'session', 'position'],
    additionalProperties: false,
    description: 'RFC 9457: why a request was refused or failed',
    properties: {
      type: { type: 'string', description: 'urn:ambit:problem:CODE' },
      title: text,
      status: { type: 'integer' },
      detail: { type: 'string', description: 'For people' },
      code: { type: 'string', enum: Object.keys(problems), description: 'Stable' },
      boundary: { type: 'string', description: 'The boundary that refused' },
      hint: nullable({ type: 'string', description: 'What to do' }),
      session: nullable({ type: 'string', description: 'The session, if one was opened: its evidence tells more' }),
      position: nullable({
        type: 'object',
        description: 'Where in the statement, both from 1',
        required: ['line', 'column'],
        properties: { line: { type: 'integer', minimum: 1 }, column: { type: 'integer', minimum: 1 } },
      }),
    },
  },
} as const;

const Name = Type.String({ minLength: 1, maxLength: 63, pattern: '^[a-z][a-z0-9_-]*$' });
const Product = Type.String({
  minLength: 1,
  // As long as a part of a path may be.
  maxLength: 100,
  pattern: '^[a-z][a-z0-9_-]*(@[0-9A-Za-z.-]+)?$',
  description:
    'Name of the product: its newest release. `name@1`: the newest of a major version. `name@1.2.0`: that one',
});
export const ProductParams = Type.Object({ product: Product });
export const QueryParams = Type.Object({ product: Product, name: Name });
export const EvidenceQueryParams = Type.Object({ name: Name });
export const SessionParams = Type.Object({ session: Type.String({ pattern: '^ses_[0-9a-f]{32}$' }) });

export const ConsistencyQuery = Type.Object({
  from: Type.String({ pattern: '^(0|[1-9][0-9]{0,15})$', description: 'Records of the checkpoint that you have' }),
});

const WHY = 'Why: one of the purposes of the product';
/** Where a body can name the purpose too. */
export const PurposeHeader = Type.Object({
  'ambit-purpose': Type.Optional(Type.String({ description: WHY, maxLength: 64 })),
});

const Scalar = Type.Union([Type.String(), Type.Number(), Type.Boolean()]);
const TypedParameter = Type.Object(
  {
    type: Type.String({ maxLength: 64, description: 'A scalar type of contracts' }),
    value: Type.Union([Scalar, Type.Null()]),
  },
  { additionalProperties: false },
);
const Parameters = Type.Unsafe({
  type: 'object',
  propertyNames: { pattern: '^[A-Za-z_][A-Za-z0-9_]{0,62}$' },
  additionalProperties: Type.Union([Scalar, TypedParameter]),
  maxProperties: 1_000,
  description: 'By name: a JSON value, or {type, value}',
});
const Purpose = Type.Optional(Type.String({ maxLength: 64, description: 'Instead of the Ambit-Purpose header' }));

export const QueryBody = Type.Object(
  {
    sql: Type.String({ minLength: 1, format: 'sql', description: 'One query, with $name parameters' }),
    parameters: Type.Optional(Parameters),
    purpose: Purpose,
  },
  { additionalProperties: false },
);

export const NamedQueryBody = Type.Object(
  { parameters: Type.Optional(Parameters), purpose: Purpose },
  { additionalProperties: false },
);

/** Refusals of the routes that need a credential, and those of one. */
export function refusals(...codes: ProblemCode[]): Record<number, unknown> {
  const always: ProblemCode[] = ['request_invalid', 'credential_invalid', 'identity_unavailable', 'internal'];
  return refusalsOf(...always, ...codes);
}

/** Problems by status, with the codes that each can have. */
export function refusalsOf(...codes: ProblemCode[]): Record<number, unknown> {
  const known = [...new Set(codes)];
  const statuses = [...new Set(known.map((code) => problems[code][0]))].toSorted((a, b) => a - b);
  return Object.fromEntries(
    statuses.map((status) => [
      status,
      {
        description: known
          .filter((code) => problems[code][0] === status)
          .map((code) => `\`${code}\``)
          .join(', '),
        content: { 'application/problem+json': { schema: { $ref: 'Problem#' } } },
      },
    ]),
  );
}
