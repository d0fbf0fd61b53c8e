import { isType } from '../column-type.ts';
import type { Path } from '../document.ts';
import { nearest } from '../problem.ts';
import type { Contract } from '../schema.ts';
import { operatorsOf, type PlacedRule } from './declared.ts';
import { type Metric, METRICS, OPERATORS } from './schema.ts';

// What a rule can have wrong beside its form and its SQL.

/** Something wrong with a rule. The path is from the rule. */
export interface Fault {
  readonly path: Path;
  readonly message: string;
  readonly hint: string | null;
  readonly at: 'key' | 'value';
}

/** All that is wrong with a rule of a contract. */
export function faultsOf(contract: Contract, placed: PlacedRule): readonly Fault[] {
  const { rule } = placed;
  const faults = new Faults();
  checkMeasure(faults, contract, placed);
  checkThreshold(faults, placed);
  if (rule.onFailure === 'close' && (rule.severity ?? 'error') !== 'error') {
    const hint = 'leave `severity` out, or let it only report';
    faults.say(['onFailure'], `a rule of severity \`${rule.severity}\` closes no table`, hint);
  }
  return faults.all;
}

class Faults {
  readonly all: Fault[] = [];

  say(path: Path, message: string, hint: string | null = null, at: 'key' | 'value' = 'value'): void {
    this.all.push({ path, message, hint, at });
  }
}

function checkMeasure(faults: Faults, contract: Contract, placed: PlacedRule): void {
  const { rule } = placed;
  const named = `rule \`${placed.name}\``;
  if (rule.metric === undefined && rule.sql === undefined) {
    faults.say([], `${named} counts nothing`, `say \`metric\` (${METRICS.join(', ')}), or \`sql\``, 'key');
    return;
  }
  if (rule.metric !== undefined && rule.sql !== undefined) {
    faults.say([], `${named} counts two things`, 'keep `metric` or `sql`', 'key');
    return;
  }
  if (rule.sql !== undefined) {
    if (rule.arguments !== undefined)
      faults.say(['arguments'], 'a query has no arguments', 'write them into its SQL', 'key');
  } else if (rule.metric !== undefined) checkMetric(faults, contract, placed, rule.metric);
  const shares: readonly (string | undefined)[] = ['nullValues', 'missingValues', 'invalidValues'];
  if (rule.unit === 'percent' && !shares.includes(rule.metric))
    faults.say(['unit'], `${named} has no share`, 'nullValues, missingValues and invalidValues have one');
}

type Argument = keyof NonNullable<PlacedRule['rule']['arguments']>;

interface Takes {
  readonly on: readonly ('table' | 'column')[];
  readonly arguments: readonly Argument[];
}

const TAKES: Readonly<Record<Metric, Takes>> = {
  nullValues: { on: ['column'], arguments: [] },
  missingValues: { on: ['column'], arguments: ['missingValues'] },
  invalidValues: { on: ['column'], arguments: ['validValues', 'pattern'] },
  duplicateValues: { on: ['table', 'column'], arguments: ['properties'] },
  rowCount: { on: ['table'], arguments: [] },
};

function checkMetric(faults: Faults, contract: Contract, placed: PlacedRule, metric: Metric): void {
  const { rule, column } = placed;
  const { on, arguments: known } = TAKES[metric];
  const level = column === null ? 'table' : 'column';
  if (!on.includes(level)) {
    const hint = level === 'table' ? 'put it under `quality` of the column' : 'put it under `quality` of the table';
    faults.say(['metric'], `\`${metric}\` is not of a ${level}`, hint);
    return;
  }
  const taken = metric === 'duplicateValues' && column !== null ? [] : known;
  const given = Object.keys(rule.arguments ?? {}) as Argument[];
  for (const name of given.filter((one) => !taken.includes(one))) {
    const hint = taken.length === 0 ? 'leave it out' : `it takes: ${taken.join(', ')}`;
    faults.say(['arguments', name], `\`${metric}\` takes no \`${name}\``, hint, 'key');
  }
  if (taken.length > 0 && !given.some((name) => taken.includes(name))) {
    const hint = `say \`arguments\`: ${taken.join(' or ')}`;
    faults.say([], `\`${metric}\` does not know what to look for`, hint, 'key');
  }
  checkArguments(faults, contract, placed);
}

function checkArguments(faults: Faults, contract: Contract, { rule, table, column }: PlacedRule): void {
  const { columns = {} } = contract.tables[table] ?? {};
  const { properties = [], pattern } = rule.arguments ?? {};
  for (const [at, name] of properties.entries()) {
    if (Object.hasOwn(columns, name)) continue;
    const word = nearest(name, Object.keys(columns));
    const hint = word === null ? `there are: ${Object.keys(columns).join(', ')}` : `did you mean \`${word}\``;
    faults.say(['arguments', 'properties', at], `unknown column \`${name}\``, hint);
  }
  const type = (column === null ? undefined : columns[column]?.type)?.trim() ?? '';
  if (pattern !== undefined && isType(type) && type !== 'string') {
    const hint = 'a pattern is for a column of type string';
    faults.say(['arguments', 'pattern'], `column \`${column}\` is of type \`${type}\``, hint, 'key');
  }
  if (/^(?:list|struct)\s*</.test(type) && (rule.metric === 'missingValues' || rule.metric === 'invalidValues'))
    faults.say(['metric'], `\`${rule.metric}\` is not of a column of type \`${type}\``, 'write it as `sql`');
}

function checkThreshold(faults: Faults, { rule, name }: PlacedRule): void {
  const operators = operatorsOf(rule);
  const [first, second] = operators;
  if (first === undefined) {
    faults.say([], `rule \`${name}\` compares with nothing`, `say one of: ${OPERATORS.join(', ')}`, 'key');
    return;
  }
  if (second !== undefined) {
    const hint = `keep \`${first[0]}\` or \`${second[0]}\`: mustBeBetween has both ends`;
    faults.say([second[0]], `rule \`${name}\` compares twice`, hint, 'key');
  }
  const [operator, [least = 0, most = least]] = first;
  if (least > most) faults.say([operator], `no number lies between ${least} and ${most}`, 'the smaller is first');
}

/** Values of a rule that must be of its column's type, each with its path from the rule. */
export function typedValues({ rule }: PlacedRule): readonly (readonly [Path, string | number | boolean])[] {
  return (['missingValues', 'validValues'] as const).flatMap((name) =>
    (rule.arguments?.[name] ?? []).flatMap((value, at) =>
      value === null ? [] : [[['arguments', name, at], value] as const],
    ),
  );
}
