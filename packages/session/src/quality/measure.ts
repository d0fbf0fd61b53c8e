import {
  type AgeMax,
  ageMaxOf,
  type Boundary,
  type BoundaryRule,
  type ClaimValue,
  levelText,
  ruleText,
} from '@ambit/contract';
import type { TypedValue } from '@ambit/engine';
import type { Promised } from '@ambit/evidence';

// What a promise of a contract asks of the data: one row, of the number and, where that is a share, of how much it is of.

/** Something that data is held against. */
export interface Commitment extends Promised {
  readonly severity: BoundaryRule['severity'];
  /** While it is not kept, nobody reads the table. */
  readonly closes: boolean;
  /** What the number must be, as the contract says it. */
  readonly promise: string;
  readonly question: Question;
  readonly keeps: (value: number) => boolean;
}

/** A statement over ungoverned tables. */
export interface Question {
  /** What it reads, views expanded, and the views that it reads them through. */
  readonly tables: readonly string[];
  readonly views: readonly string[];
  readonly sql: string;
  readonly parameters: Readonly<Record<string, TypedValue>>;
  readonly functions: readonly string[];
}

/** All that the data of a product can be held against. */
export function promisesOf(boundary: Boundary): readonly Commitment[] {
  const { quality = {}, serviceLevels = {} } = boundary;
  const rules = Object.entries(quality).flatMap(([table, all]) =>
    Object.entries(all).map(([name, rule]) => ofRule(boundary, table, name, rule)),
  );
  const levels = Object.entries(serviceLevels).flatMap(([name, level]) => {
    const age = ageMaxOf(level);
    return age === null ? [] : [ofAge(name, levelText(level), age)];
  });
  return [...rules, ...levels];
}

function ofRule(boundary: Boundary, table: string, name: string, rule: BoundaryRule): Commitment {
  return {
    kind: 'rule',
    table,
    column: rule.column,
    name,
    severity: rule.severity,
    closes: rule.onFailure === 'close',
    promise: ruleText(rule),
    question: questionOf(boundary, table, rule),
    keeps: (value) => compares(rule, value),
  };
}

function ofAge(name: string, promise: string, { table, column, seconds }: AgeMax): Commitment {
  // The newest value itself is nobody's business: the engine gives its age.
  const newest = `date_part('epoch', CAST(max(${quoted(column)}) AS TIMESTAMP))`;
  return {
    kind: 'service-level',
    table,
    column,
    name,
    severity: 'error',
    closes: false,
    promise,
    question: {
      tables: [table],
      views: [],
      sql: `SELECT date_part('epoch', now()) - ${newest} FROM ${quoted(table)}`,
      parameters: {},
      functions: ['date_part', 'max', 'now'],
    },
    keeps: (age) => age < seconds,
  };
}

function questionOf(boundary: Boundary, table: string, rule: BoundaryRule): Question {
  const { measure } = rule;
  if (!('sql' in measure)) return { tables: [table], views: [], ...countOf(boundary, table, rule, measure) };
  const { tables, views, functions } = measure.reads;
  return {
    tables: Object.keys(tables),
    views: viewsBehind(boundary, views),
    sql: measure.sql,
    parameters: {},
    functions,
  };
}

/** Views, and those that they are made of. */
function viewsBehind(boundary: Boundary, named: readonly string[]): readonly string[] {
  const found = new Set(named);
  for (const name of found) for (const other of boundary.views[name]?.reads.views ?? []) found.add(other);
  return [...found];
}

type Count = Omit<Question, 'tables' | 'views'>;

function countOf(
  { tables }: Boundary,
  table: string,
  { column, unit }: BoundaryRule,
  measure: Exclude<BoundaryRule['measure'], { readonly sql: string }>,
): Count {
  const from = `FROM ${quoted(table)}`;
  const counted = (condition: string, values: Readonly<Record<string, TypedValue>> = {}): Count => {
    const total = unit === 'percent' ? ', count(*)' : '';
    return {
      sql: `SELECT count(CASE WHEN ${condition} THEN 1 END)${total} ${from}`,
      parameters: values,
      functions: ['count', ...(condition.includes('regexp_like(') ? ['regexp_like'] : [])],
    };
  };
  const name = quoted(column ?? '');
  const type = tables[table]?.columns.find((one) => one.name === column)?.type ?? 'string';
  switch (measure.metric) {
    case 'rowCount':
      return { sql: `SELECT count(*) ${from}`, parameters: {}, functions: ['count'] };
    case 'nullValues':
      return counted(`${name} IS NULL`);
    case 'missingValues': {
      const { list, values } = listOf(type, measure.values);
      return counted(values === null ? `${name} IS NULL` : `${name} IS NULL OR ${name} IN (${list})`, values ?? {});
    }
    case 'invalidValues': {
      const { list, values } = listOf(type, measure.values ?? []);
      const { pattern } = measure;
      const valid = [
        ...(values === null ? [] : [`${name} IN (${list})`]),
        ...(pattern === null ? [] : [`regexp_like(${name}, $pattern)`]),
      ];
      const parameters = pattern === null ? {} : { pattern: { type: 'string', value: pattern } };
      return counted(`${name} IS NOT NULL AND NOT (${valid.join(' AND ')})`, { ...values, ...parameters });
    }
    default: {
      const columns = measure.columns.map(quoted);
      const there = columns.map((one) => `${one} IS NOT NULL`).join(' AND ');
      const keys = `SELECT ${columns.join(', ')} ${from} WHERE ${there} GROUP BY ${columns.join(', ')} HAVING count(*) > 1`;
      return { sql: `SELECT count(*) FROM (${keys})`, parameters: {}, functions: ['count'] };
    }
  }
}

/** Values as parameters of the column's type: nothing of a contract is put into SQL as text. */
function listOf(type: string, values: readonly ClaimValue[]) {
  if (values.length === 0) return { list: '', values: null };
  const named = values.map((value, at) => [`value_${at}`, { type, value }] as const);
  return { list: named.map(([name]) => `$${name}`).join(', '), values: Object.fromEntries(named) };
}

/** No name of a contract has quotes in it. */
function quoted(name: string): string {
  return `"${name}"`;
}

const COMPARES: Readonly<Record<BoundaryRule['operator'], (value: number, least: number, most: number) => boolean>> = {
  mustBe: (value, least) => value === least,
  mustNotBe: (value, least) => value !== least,
  mustBeGreaterThan: (value, least) => value > least,
  mustBeGreaterOrEqualTo: (value, least) => value >= least,
  mustBeLessThan: (value, least) => value < least,
  mustBeLessOrEqualTo: (value, least) => value <= least,
  mustBeBetween: (value, least, most) => least <= value && value <= most,
  mustNotBeBetween: (value, least, most) => value < least || value > most,
};

function compares({ operator, than }: BoundaryRule, value: number): boolean {
  const [least = Number.NaN, most = least] = than.map(Number);
  return COMPARES[operator](value, least, most);
}
