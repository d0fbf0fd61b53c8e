import type { Boundary, ClaimValue } from '../boundary.ts';
import type { CheckReport, CheckRequest, CheckResult } from '../check.ts';
import type { Document } from '../document.ts';
import type { EngineFacts } from '../draft.ts';
import type { Problem } from '../problem.ts';
import type { Contract } from '../schema.ts';
import { isScalar } from '../types.ts';
import type { BoundaryRule, BoundaryServiceLevel, Measure } from './boundary.ts';
import { operatorsOf, type PlacedRule, placedRules, ruleId, type TakenRules } from './declared.ts';
import { type Fault, faultsOf, typedValues } from './rules.ts';

// Rules on their way from a contract to its boundary: what the engine has to check of them, and what it found.

type Says = Pick<Document<Contract>, 'problem' | 'sqlProblem'>;

/** Rules of which nothing is wrong but perhaps their SQL. */
export interface PreparedRules {
  readonly placed: readonly PlacedRule[];
  /** What the engine has to check of them; null: nothing. */
  readonly request: CheckRequest | null;
  readonly problems: readonly Problem[];
  /** What is left out. */
  readonly notes: readonly Problem[];
}

/** Checks all but their SQL, and says what of them the engine must check: they may call every function. */
export function prepareRules(
  document: Says,
  contract: Contract,
  takenRules: TakenRules,
  facts: EngineFacts,
  request: Pick<CheckRequest, 'tables' | 'views' | 'settings'>,
): PreparedRules {
  const found = placedRules(contract, takenRules).map((placed) => ({ placed, faults: faultsOf(contract, placed) }));
  const placed = found.filter(({ faults }) => faults.length === 0).map((one) => one.placed);
  const functions = facts.functions.map(({ name }) => name);
  return {
    placed,
    request: requestOf(contract, placed, { ...request, functions }),
    ...toldOf(found, ({ path }, { message, hint, at, path: within }) =>
      document.problem([...path, ...within], message, hint, at),
    ),
  };
}

/** Of a rule of the contract it is a problem; one of an ODCS file is left out with a word. */
function toldOf<F extends Pick<Fault, 'message' | 'hint'>>(
  found: readonly { readonly placed: PlacedRule; readonly faults: readonly F[] }[],
  problem: (placed: PlacedRule, fault: F) => Problem,
): Pick<PreparedRules, 'problems' | 'notes'> {
  return {
    problems: found.flatMap(({ placed, faults }) =>
      placed.taken === null ? faults.map((fault) => problem(placed, fault)) : [],
    ),
    notes: found.flatMap(({ placed: { taken, name }, faults }) =>
      taken === null
        ? []
        : faults.map(({ message, hint }) => taken(`rule \`${name}\` is not checked: ${message}`, hint)),
    ),
  };
}

function requestOf(
  contract: Contract,
  placed: readonly PlacedRule[],
  request: Pick<CheckRequest, 'tables' | 'views' | 'settings' | 'functions'>,
): CheckRequest | null {
  const items = placed.flatMap(({ rule: { sql } }, at) =>
    sql === undefined ? [] : [{ id: itemId(at), scope: { kind: 'query' as const, parameters: {} }, sql }],
  );
  const values = placed.flatMap((one, at) =>
    typedValues(one).map(
      ([, value], index) => [valueId(at, index), { type: typeOf(contract, one), value: exact(value) }] as const,
    ),
  );
  const typed = values.filter(([, { type }]) => isScalar(type));
  if (items.length === 0 && typed.length === 0) return null;
  return { ...request, claims: {}, items, values: Object.fromEntries(typed) };
}

function itemId(at: number): string {
  return `rule:${at}`;
}

function valueId(at: number, index: number): string {
  return `rule-value:${at}:${index}`;
}

function typeOf({ tables }: Contract, { table, column }: PlacedRule): string {
  return (column === null ? undefined : tables[table]?.columns[column]?.type) ?? '';
}

/** What a rule's SQL gives must be a number. */
const NUMBER = /^(?:tinyint|smallint|int|bigint|real|double|decimal\(.*\)|u?int\d+|float\d+)$/;

/** Something wrong with the SQL or a value of a rule. */
interface Found extends Pick<Fault, 'message' | 'hint' | 'path'> {
  readonly line: number | null;
  readonly column: number | null;
}

/** What the engine found of rules. Those of which nothing is wrong are the boundary's. */
export function judgeRules(
  document: Says,
  { placed }: PreparedRules,
  report: CheckReport,
): Pick<PreparedRules, 'problems' | 'notes'> & Pick<Boundary, 'quality'> {
  const found = placed.map((one, at) => ({ placed: one, at, faults: foundOf(one, at, report) }));
  const fit = found.filter(({ faults }) => faults.length === 0);
  return {
    ...toldOf(found, (one, { path, message, hint, line, column }) =>
      path[0] === 'sql'
        ? document.sqlProblem([...one.path, ...path], `rule \`${one.name}\`: ${message}`, hint, line, column)
        : document.problem([...one.path, ...path], message, hint),
    ),
    ...qualityOf(fit.map((one) => [one.placed, report.results[itemId(one.at)]])),
  };
}

function foundOf(placed: PlacedRule, at: number, report: CheckReport): readonly Found[] {
  const values = typedValues(placed).flatMap(([path], index) => {
    const problem = report.results[valueId(at, index)]?.problem ?? null;
    return problem === null ? [] : [{ ...problem, path }];
  });
  const result = report.results[itemId(at)];
  if (result === undefined) return values;
  const wrong = notANumber(result);
  const told = { path: ['sql'], line: null, column: null, message: wrong ?? '', hint: 'as in SELECT count(*) FROM …' };
  if (result.problem !== null) return [...values, { ...result.problem, path: ['sql'] }];
  return wrong === null ? values : [...values, told];
}

function notANumber({ columns }: CheckResult): string | null {
  const [only, second] = columns;
  // It reads a view that is wrong, which is told of the view.
  if (only === undefined) return null;
  if (second !== undefined) return `its query gives ${columns.length} columns, not one`;
  return NUMBER.test(only.type) ? null : `its query gives \`${only.type}\`, not a number`;
}

type Checked = readonly [PlacedRule, CheckResult | undefined];

/** Absent where there are none. */
function qualityOf(rules: readonly Checked[]): Pick<Boundary, 'quality'> {
  const tables = [...new Set(rules.map(([{ table }]) => table))];
  const of = (name: string) =>
    rules
      .filter(([{ table }]) => table === name)
      .map(([placed, found]) => [ruleId(placed.column, placed.name), ruleOf(placed, found)] as const);
  if (tables.length === 0) return {};
  return { quality: Object.fromEntries(tables.map((table) => [table, Object.fromEntries(of(table))])) };
}

/** Absent where the contract has none. */
export function serviceLevelsOf({ serviceLevels = {} }: Contract): Pick<Boundary, 'serviceLevels'> {
  const levels = Object.entries(serviceLevels).map(([name, level]) => [name, levelOf(level)] as const);
  return levels.length === 0 ? {} : { serviceLevels: Object.fromEntries(levels) };
}

function ruleOf(placed: PlacedRule, found: CheckResult | undefined): BoundaryRule {
  const { column, rule } = placed;
  const [[operator, than] = ['mustBe', [0]] as const] = operatorsOf(rule);
  return {
    description: rule.description ?? '',
    dimension: rule.dimension ?? null,
    column,
    measure: measureOf(placed, found),
    unit: rule.unit ?? 'rows',
    operator,
    than: than.map(String),
    severity: rule.severity ?? 'error',
    onFailure: rule.onFailure ?? 'report',
  };
}

function measureOf({ column, rule }: PlacedRule, found: CheckResult | undefined): Measure {
  const { missingValues = [], validValues, pattern, properties = [] } = rule.arguments ?? {};
  switch (rule.metric) {
    case undefined:
      return { sql: rule.sql ?? '', reads: readsOf(found) };
    case 'missingValues':
      return { metric: rule.metric, values: missingValues.filter((value) => value !== null).map(exact) };
    case 'invalidValues':
      return { metric: rule.metric, values: validValues?.map(exact) ?? null, pattern: pattern ?? null };
    case 'duplicateValues':
      return { metric: rule.metric, columns: column === null ? properties : [column] };
    default:
      return { metric: rule.metric };
  }
}

function readsOf(found: CheckResult | undefined): Extract<Measure, { sql: string }>['reads'] {
  if (found === undefined) throw new Error('the engine did not check a rule');
  const tables = Object.fromEntries(found.reads.map(({ table, columns }) => [table, columns]));
  return { tables, views: found.views, functions: found.functions };
}

function levelOf(level: NonNullable<Contract['serviceLevels']>[string]): BoundaryServiceLevel {
  const { description = '', property, value, unit = null, element = null, driver = null } = level;
  return { description, property, value: exact(value), unit, element, driver };
}

/** A boundary has no floats: a fractional number is kept as its text. */
function exact(value: ClaimValue): ClaimValue {
  return typeof value === 'number' && !Number.isSafeInteger(value) ? String(value) : value;
}
