import type { BoundaryRule } from '../quality/boundary.ts';
import { ruleId, type SayOfRule } from '../quality/declared.ts';
import { type DeclaredRule, DIMENSIONS, METRICS, type Operator, OPERATORS, SEVERITIES } from '../quality/schema.ts';
import type { OdcsQuality } from './document.ts';

// Rules of quality, from ODCS and to it. Both have the same words; what one of them has alone is said by its name.

/** A rule that was taken, and what of it was not. */
type Taken = readonly [rule: DeclaredRule, rest: readonly string[]];

export interface TakenQuality {
  readonly quality: Readonly<Record<string, DeclaredRule>>;
  /** Where a problem of each stands, by its name in the table. */
  readonly says: ReadonlyMap<string, SayOfRule>;
}

/** Where rules stand: of a table, or of its column. */
export interface Level {
  /** The table's name in the contract. */
  readonly table: string;
  readonly column: string | null;
}

/** Takes what can be checked, under names of their own. `say` is of a rule by its place in the list. */
export function qualityFrom(
  rules: readonly OdcsQuality[],
  level: Level,
  say: (at: number, message: string, hint: string | null) => void,
  sayOf: (at: number) => SayOfRule,
): TakenQuality {
  const quality: Record<string, DeclaredRule> = {};
  const says = new Map<string, SayOfRule>();
  for (const [at, one] of rules.entries()) {
    const name = freeName(nameOf(one), Object.keys(quality));
    const taken = ruleFrom(one, level);
    if (typeof taken === 'string') {
      say(at, `rule \`${name}\` is not checked: ${taken}`, null);
      continue;
    }
    const [rule, rest] = taken;
    if (rest.length > 0)
      say(at, `of rule \`${name}\` this is not taken: ${rest.map((key) => `\`${key}\``).join(', ')}`, null);
    quality[name] = rule;
    says.set(ruleId(level.column, name), sayOf(at));
  }
  return { quality, says };
}

/** The rule, or why nothing can check it. */
function ruleFrom(one: OdcsQuality, level: Level): Taken | string {
  const { type = 'library', metric, query, engine } = one;
  if (type === 'text') return 'it is words for people';
  if (type === 'custom') return `it is for \`${engine ?? 'another engine'}\``;
  if (type !== 'sql' && type !== 'library') return `nothing is known of its type \`${type}\``;
  const threshold = thresholdOf(one);
  if (typeof threshold === 'string') return threshold;
  const { description, dimension } = one;
  const [unit, unitLeft] = unitOf(one);
  const shared = {
    ...(description === undefined || description === '' ? {} : { description }),
    ...(DIMENSIONS.some((word) => word === dimension) ? { dimension: dimension as DeclaredRule['dimension'] } : {}),
    ...threshold,
    ...severityOf(one.severity),
    ...(closes(one) ? { onFailure: 'close' as const } : {}),
  } as DeclaredRule;
  const rest = [...unknownKeys(one), ...unitLeft];
  if (type === 'sql') {
    if (query === undefined) return 'it has no query';
    return [{ ...shared, sql: filled(query, level) }, unit === undefined ? rest : [...rest, 'unit']];
  }
  const known = METRICS.find((word) => word === metric);
  if (known === undefined) return metric === undefined ? 'it names no metric' : `there is no metric \`${metric}\` here`;
  const given = argumentsOf(one);
  if (typeof given === 'string') return given;
  const counted = { ...shared, metric: known, ...(unit === undefined ? {} : { unit }) };
  return [Object.keys(given).length === 0 ? counted : { ...counted, arguments: given }, rest];
}

function thresholdOf(one: OdcsQuality): Partial<Record<Operator, number | [number, number]>> | string {
  const given = OPERATORS.filter((operator) => one[operator] !== undefined);
  const [operator] = given;
  if (operator === undefined) return 'it compares with nothing';
  if (given.length > 1) return `it compares twice: ${given.join(', ')}`;
  const than = one[operator];
  const pair = operator === 'mustBeBetween' || operator === 'mustNotBeBetween';
  const fine = pair
    ? Array.isArray(than) && than.length === 2 && than.every((each) => typeof each === 'number')
    : typeof than === 'number';
  return fine ? { [operator]: than } : `\`${operator}\` is no number`;
}

const ARGUMENTS = ['missingValues', 'validValues', 'pattern', 'properties'] as const;

function argumentsOf({ arguments: given = {} }: OdcsQuality): NonNullable<DeclaredRule['arguments']> | string {
  const unknown = Object.keys(given).find((key) => !ARGUMENTS.some((word) => word === key));
  if (unknown !== undefined) return `nothing is known of its argument \`${unknown}\``;
  const lists = ['missingValues', 'validValues', 'properties'].filter((key) => given[key] !== undefined);
  const wrong = lists.find((key) => !Array.isArray(given[key]) || (given[key] as unknown[]).length === 0);
  if (wrong !== undefined) return `its argument \`${wrong}\` is no list`;
  if (given['pattern'] !== undefined && typeof given['pattern'] !== 'string') return 'its pattern is no text';
  return given;
}

const SHARES = ['percent', 'percentage', '%'];

/** Anything may stand there; only what changes the number counts. */
function unitOf({ unit, type }: OdcsQuality): readonly [unit: 'percent' | undefined, left: readonly string[]] {
  if (unit === undefined || unit === 'rows') return [undefined, []];
  const share = SHARES.includes(unit.trim().toLowerCase()) && type !== 'sql';
  return share ? ['percent', []] : [undefined, ['unit']];
}

/** Words of others for what is no error. */
const MILDER: Readonly<Record<string, 'warning' | 'info'>> = {
  warn: 'warning',
  low: 'info',
  minor: 'info',
  trivial: 'info',
};

function severityOf(word: string | undefined): Pick<DeclaredRule, 'severity'> {
  if (word === undefined) return {};
  const lower = word.trim().toLowerCase();
  const severity = SEVERITIES.find((known) => known === lower) ?? MILDER[lower] ?? 'error';
  return severity === 'error' ? {} : { severity };
}

const ON_FAILURE = 'ambitOnFailure';

function closes({ customProperties = [] }: OdcsQuality): boolean {
  return customProperties.some(({ property, value }) => property === ON_FAILURE && value === 'close');
}

const KEYS: readonly string[] = [
  'id',
  'name',
  'type',
  'metric',
  'query',
  'arguments',
  'unit',
  'description',
  'dimension',
  'severity',
  'customProperties',
  ...OPERATORS,
];

function unknownKeys(one: OdcsQuality): readonly string[] {
  const { customProperties = [], dimension } = one;
  const others = customProperties.filter(({ property }) => property !== ON_FAILURE);
  const known = dimension === undefined || DIMENSIONS.some((word) => word === dimension);
  return [
    ...Object.keys(one).filter((key) => !KEYS.includes(key)),
    ...others.map(({ property = '?' }) => `customProperties.${property}`),
    ...(known ? [] : ['dimension']),
  ];
}

/** What ODCS and others write for the table and the column that a query is about. */
function filled(query: string, { table, column }: Level): string {
  const named = query.replaceAll(/\$?\{\s*(?:object|table|model)\s*\}/g, `"${table}"`);
  if (column === null) return named;
  return named.replaceAll(/\$?\{\s*(?:property|column|field)\s*\}/g, `"${column}"`);
}

function nameOf({ id, name, metric, type }: OdcsQuality): string {
  const plain = (id ?? name ?? metric ?? type ?? 'rule')
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1-$2')
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]+/g, '-')
    .replaceAll(/^-+|-+$/g, '');
  return (/^[a-z]/.test(plain) ? plain : `rule-${plain}`).slice(0, 60);
}

function freeName(name: string, taken: readonly string[]): string {
  if (!taken.includes(name)) return name;
  const [free = name] = Array.from({ length: taken.length + 1 }, (_, at) => `${name}-${at + 2}`).filter(
    (one) => !taken.includes(one),
  );
  return free;
}

/** Rules of a table, or of a column, as ODCS has them. Null where there are none. */
export function qualityTo(
  rules: Readonly<Record<string, BoundaryRule>>,
  column: string | null,
): readonly OdcsQuality[] | null {
  const own = Object.entries(rules).filter(([, rule]) => rule.column === column);
  if (own.length === 0) return null;
  return own.map(([id, rule]) => ruleTo(column === null ? id : id.slice(column.length + 1), rule));
}

function ruleTo(id: string, rule: BoundaryRule): OdcsQuality {
  const { description, dimension, severity, measure, unit, operator, than, onFailure, column } = rule;
  const numbers = than.map(Number);
  return {
    id,
    ...(description === '' ? {} : { description }),
    ...(dimension === null ? {} : { dimension }),
    ...('sql' in measure
      ? { type: 'sql', query: measure.sql }
      : { type: 'library', metric: measure.metric, ...argumentsTo(measure, column) }),
    ...(unit === 'percent' ? { unit } : {}),
    [operator]: numbers.length === 1 ? numbers[0] : numbers,
    severity,
    ...(onFailure === 'close' ? { customProperties: [{ property: ON_FAILURE, value: onFailure }] } : {}),
  };
}

function argumentsTo(
  measure: Exclude<BoundaryRule['measure'], { readonly sql: string }>,
  column: string | null,
): Pick<OdcsQuality, 'arguments'> {
  switch (measure.metric) {
    case 'missingValues':
      return { arguments: { missingValues: [null, ...measure.values] } };
    case 'invalidValues':
      return {
        arguments: {
          ...(measure.values === null ? {} : { validValues: measure.values }),
          ...(measure.pattern === null ? {} : { pattern: measure.pattern }),
        },
      };
    case 'duplicateValues':
      return column === null ? { arguments: { properties: measure.columns } } : {};
    default:
      return {};
  }
}
