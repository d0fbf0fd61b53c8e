import { Type, type Static } from 'typebox';
import { map, NAME, oneOf, opt, strict, text } from '../schema-parts.ts';

// What data promises to be. The words are those of the Open Data Contract Standard, version 3.1.

export const METRICS = ['nullValues', 'missingValues', 'invalidValues', 'duplicateValues', 'rowCount'] as const;
export const DIMENSIONS = [
  'accuracy',
  'completeness',
  'conformity',
  'consistency',
  'coverage',
  'timeliness',
  'uniqueness',
] as const;
export const SEVERITIES = ['error', 'warning', 'info'] as const;

/** What a number is held against: a rule has exactly one. */
export const OPERATORS = [
  'mustBe',
  'mustNotBe',
  'mustBeGreaterThan',
  'mustBeGreaterOrEqualTo',
  'mustBeLessThan',
  'mustBeLessOrEqualTo',
  'mustBeBetween',
  'mustNotBeBetween',
] as const;

export type Metric = (typeof METRICS)[number];
export type Operator = (typeof OPERATORS)[number];

const Value = Type.Union([Type.String(), Type.Number(), Type.Boolean()]);
const Values = (description: string) => Type.Array(Value, { description, minItems: 1, uniqueItems: true });
const number = (description: string) => Type.Number({ description });
const span = (description: string) => Type.Array(Type.Number(), { minItems: 2, maxItems: 2, description });

const Arguments = Type.Object(
  {
    missingValues: opt(
      Type.Array(Type.Union([Value, Type.Null()]), {
        description: 'missingValues: values that count as missing; NULL always does',
        minItems: 1,
        uniqueItems: true,
      }),
    ),
    validValues: opt(Values('invalidValues: values that may stand there')),
    pattern: opt(text('invalidValues: a regular expression that a text has to match somewhere')),
    properties: opt(
      Type.Array(Type.String(), {
        description: 'duplicateValues of a table: columns that together must be unique',
        minItems: 1,
        uniqueItems: true,
      }),
    ),
  },
  { ...strict, description: 'What the metric looks for' },
);

const Rule = Type.Object(
  {
    description: opt(text('What it promises')),
    dimension: opt(oneOf(DIMENSIONS, { description: 'Dimension of quality' })),
    metric: opt(oneOf(METRICS, { description: 'What is counted' })),
    arguments: opt(Arguments),
    sql: opt(text('In place of a metric: a query over the tables that gives one number')),
    unit: opt(
      oneOf(['rows', 'percent'] as const, { description: 'Whether rows count, or their share. Default: rows' }),
    ),
    mustBe: opt(number('The number must be this')),
    mustNotBe: opt(number('The number must not be this')),
    mustBeGreaterThan: opt(number('The number must be greater')),
    mustBeGreaterOrEqualTo: opt(number('The number must be greater, or this')),
    mustBeLessThan: opt(number('The number must be less')),
    mustBeLessOrEqualTo: opt(number('The number must be less, or this')),
    mustBeBetween: opt(span('The number must be one of these, or between: the smaller first')),
    mustNotBeBetween: opt(span('The number must be neither of these, nor between: the smaller first')),
    severity: opt(oneOf(SEVERITIES, { description: 'How bad it is where the rule fails. Default: error' })),
    onFailure: opt(
      oneOf(['report', 'close'] as const, {
        description: 'close: nobody reads the table while the rule does not pass. Default: report',
      }),
    ),
  },
  strict,
);

/** Rules by name. */
export const Quality = map(NAME, Rule, 'Rules that the data is held against, by name');

/** Service levels by name. */
export const ServiceLevels = map(
  NAME,
  Type.Object(
    {
      property: Type.String({
        pattern: '^[A-Za-z][A-Za-z0-9_-]{0,62}$',
        description: 'What is promised, as ODCS names it: freshness and latency are checked; retention, availability …',
      }),
      value: Type.Union([Type.String(), Type.Number(), Type.Boolean()], { description: 'How much of it' }),
      unit: opt(text('Of the value: d, h, m, s for spans of time')),
      element: opt(text('What it is about, as table.column')),
      driver: opt(text('Why it matters: regulatory, analytics, operational')),
      description: opt(text('What it means')),
    },
    strict,
  ),
  'What the owner promises of the service, by name',
);

export type DeclaredRule = Static<typeof Rule>;
export type DeclaredServiceLevel = Static<typeof ServiceLevels>[string];
