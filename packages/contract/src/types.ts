import { isType, SCALAR_TYPES } from './column-type.ts';
import type { Path } from './document.ts';
import type { Draft } from './draft.ts';
import { nearest } from './problem.ts';

/** Types of columns, claims and parameters, and the bounds of these. */
export function checkTypes(draft: Draft): void {
  const { tables, claims = {}, queries = {} } = draft.contract;
  const type = (path: Path, text: string, scalar: boolean): void => {
    if (scalar ? isScalar(text) : isType(text)) return;
    const what = isType(text)
      ? `\`${text}\` cannot be the type of a claim or a parameter`
      : `\`${text}\` is not a type`;
    draft.say(path, what, isType(text) ? scalars : nearestType(text));
  };
  for (const [table, { columns }] of Object.entries(tables)) {
    for (const [column, declared] of Object.entries(columns))
      type(['tables', table, 'columns', column, 'type'], declared.type, false);
  }
  for (const [claim, declared] of Object.entries(claims)) type(['claims', claim, 'type'], declared.type, true);
  for (const [query, { parameters = {} }] of Object.entries(queries)) {
    for (const [name, declared] of Object.entries(parameters)) {
      type(['queries', query, 'parameters', name, 'type'], declared.type, true);
      checkBounds(draft, ['queries', query, 'parameters', name], declared);
      checkDefault(draft, ['queries', query, 'parameters', name], declared);
    }
  }
}

/** Whether it is a type of a single value, as claims and parameters have. */
export function isScalar(type: string): boolean {
  return isType(type) && !/^\s*(?:list|struct)\s*</.test(type);
}

const scalars = `types here: ${SCALAR_TYPES.join(', ')}, decimal(P, S)`;

/** What other systems call them. */
const FOREIGN: Readonly<Record<string, string>> = {
  bool: 'boolean',
  byte: 'tinyint',
  short: 'smallint',
  integer: 'int',
  int32: 'int',
  int64: 'bigint',
  long: 'bigint',
  float: 'real',
  float32: 'real',
  float64: 'double',
  numeric: 'decimal(P, S)',
  decimal: 'decimal(P, S)',
  text: 'string',
  varchar: 'string',
  char: 'string',
  utf8: 'string',
  bytes: 'binary',
  bytea: 'binary',
  datetime: 'timestamp',
  array: 'list<T>',
};

function nearestType(text: string): string {
  const word = text.trim().toLowerCase();
  if (word.startsWith('decimal(')) return 'decimal(P, S): P digits, 1 to 38, of which S are behind the point';
  const known = FOREIGN[word.replace(/\(.*$/, '')] ?? nearest(word, SCALAR_TYPES);
  return known === null
    ? `types: ${SCALAR_TYPES.join(', ')}, decimal(P, S), list<T>, struct<name: T>`
    : `did you mean \`${known}\``;
}

interface Parameter {
  readonly type: string;
  readonly default?: string | number | boolean | undefined;
  readonly minimum?: number | undefined;
  readonly maximum?: number | undefined;
}

const SMALL_WHOLES = ['tinyint', 'smallint', 'int'];

/** Text is taken for a number only where JSON has none that is exact. */
export function isTextForNumber(type: string, value: unknown): boolean {
  return typeof value === 'string' && SMALL_WHOLES.includes(type);
}

/** What it is else the engine checks, which knows the types. */
function checkDefault(draft: Draft, path: Path, { type, default: value }: Parameter): void {
  if (isTextForNumber(type, value)) {
    draft.say([...path, 'default'], `the default is text, not of type \`${type}\``, 'write a number, without quotes');
  }
}

function checkBounds(draft: Draft, path: Path, { type, default: fallback, minimum, maximum }: Parameter): void {
  const bound = minimum === undefined ? 'maximum' : 'minimum';
  if (minimum === undefined && maximum === undefined) return;
  if (![...SMALL_WHOLES, 'bigint'].includes(type)) {
    const whole = 'tinyint, smallint, int and bigint have them';
    draft.say([...path, bound], `a parameter of type \`${type}\` has no bounds`, whole);
    return;
  }
  if (minimum !== undefined && maximum !== undefined && minimum > maximum) {
    draft.say([...path, 'maximum'], `no value lies between ${minimum} and ${maximum}`, 'the maximum comes second');
    return;
  }
  if (fallback === undefined) return;
  const value = Number(fallback);
  if (value < (minimum ?? value)) draft.say([...path, 'default'], `the default ${fallback} is below the minimum`);
  if (value > (maximum ?? value)) draft.say([...path, 'default'], `the default ${fallback} is above the maximum`);
}
