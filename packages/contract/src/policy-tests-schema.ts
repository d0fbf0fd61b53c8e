import { Type, type Static } from 'typebox';
import { oneOf, opt, strict, text } from './schema-parts.ts';

const NAME = '^[a-z][a-z0-9_-]{0,62}$';

const Value = Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()]);
const Values = Type.Array(Type.Unknown(), { description: 'A row: its values in the order of the columns' });
const Rows = (description: string) => Type.Array(Values, { description });

const Subject = Type.Object(
  {
    tenant: opt(text('Default: the tenant that owns the product')),
    principal: opt(text('Default: the name that the subject has here')),
    kind: opt(oneOf(['user', 'service', 'agent', 'anonymous'] as const, { description: 'Default: user' })),
    roles: opt(Type.Array(text('Role'), { description: 'Roles in its tenant', uniqueItems: true })),
    claims: opt(
      Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()]), {
        description: 'What its credential says of it',
      }),
    ),
    channel: opt(
      oneOf(['http', 'flight-sql', 'postgres', 'mcp', 'cli'] as const, { description: 'How it asks. Default: http' }),
    ),
    onBehalfOf: opt(
      Type.Object(
        { tenant: opt(text('Default: the tenant that owns the product')), principal: text('Who it is') },
        { ...strict, description: 'Of an agent: whom it acts for' },
      ),
    ),
  },
  strict,
);

const Expectation = Type.Object(
  {
    columns: opt(Type.Array(Type.String(), { description: 'Exactly these columns, in this order' })),
    rows: opt(Rows('Exactly these rows, as often as they stand here')),
    ordered: opt(Type.Boolean({ description: 'Whether `rows` come in this order. Default: false' })),
    count: opt(Type.Integer({ minimum: 0, description: 'So many rows' })),
    includes: opt(Rows('Rows that are among those of the answer')),
    excludes: opt(Rows('Rows that are not')),
    allowed: opt(Type.Boolean({ description: 'Of an action: whether it may' })),
    refused: opt(text('Code of the problem that the subject gets instead of rows')),
  },
  { ...strict, minProperties: 1, description: 'What must come of it' },
);

const asked = {
  as: opt(Type.String({ description: 'Name of a subject of this file' })),
  purpose: opt(text('Why it asks. Without one a session is asked for that has none')),
  sql: opt(text('A query')),
  query: opt(text('A named query of the contract')),
  action: opt(
    oneOf(['readEvidence'] as const, { description: 'In place of a query: to read the evidence of everybody' }),
  ),
  parameters: opt(Type.Record(Type.String(), Value, { description: 'Values by name' })),
  expect: opt(Expectation),
};

/** Policy tests: as this subject with this purpose, this query gives that. */
export const PolicyTests = Type.Object(
  {
    apiVersion: Type.Literal('ambit/v1', { description: 'Version of this format' }),
    kind: Type.Literal('PolicyTests', { description: 'What the file declares' }),
    contract: text('The contract that is tested, relative to this file'),
    subjects: Type.Record(Type.String({ pattern: NAME }), Subject, {
      description: 'Who asks',
      additionalProperties: false,
      minProperties: 1,
    }),
    tests: Type.Record(
      Type.String({ minLength: 1, maxLength: 200 }),
      Type.Object(
        {
          ...asked,
          cases: opt(
            Type.Array(Type.Object({ name: opt(text('What is special about it')), ...asked }, strict), {
              description: 'A table: each case has what the test has, and its own in place of it',
              minItems: 1,
            }),
          ),
        },
        strict,
      ),
      { description: 'Tests by what they show', minProperties: 1 },
    ),
  },
  { ...strict, title: 'Ambit policy tests', description: 'Who sees what of a data product, as tests' },
);

export type PolicyTests = Static<typeof PolicyTests>;
