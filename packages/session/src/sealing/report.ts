import type { Boundary } from '@ambit/contract';
import type { Json } from '@ambit/evidence';
import { HIDDEN, redactSql } from './redact.ts';
import type { Words } from './words.ts';

type Members = { readonly [name: string]: Json };

/** What a report is shown with. */
export interface Showing {
  readonly words: Words;
  readonly boundary: Boundary;
  /** A digest that cannot be guessed from. */
  readonly digest: (of: string, text: string) => string;
}

/**
 * The engine's report without what may come from the statement's literals. A member that is not known here is not shown, so that
 * one that the engine learns to report is sealed until somebody looks at it.
 */
export function shownReport(report: Json, showing: Showing): Json {
  if (!isObject(report)) return null;
  return Object.fromEntries(
    Object.entries(report).flatMap(([name, value]) => {
      const show = members[name];
      return show === undefined ? [] : [[name, show(value, showing)]];
    }),
  );
}

const members: Readonly<Record<string, (value: Json, showing: Showing) => Json>> = {
  // Made before the statement came.
  sandbox: (value) => value,
  columns: (value, showing) =>
    objects(value).map((column) => ({ ...numbersOf(column), ...namedAndTyped(column, showing) })),
  functions: (value, { words }) => texts(value).map((name) => words.name(name) ?? HIDDEN),
  views: (value, { words }) => texts(value).map((name) => words.quoted(name) ?? HIDDEN),
  lineage,
  tables,
  // Their texts have the statement's literals, and policies'.
  physicalPlan: () => '',
  planDigest: (value, { digest }) => digest('planDigest', textOf(value)),
  // A result can be short, and hold what was asked with.
  resultDigest: (value, { digest }) => digest('resultDigest', textOf(value)),
  accesses: (value, { boundary }) => objects(value).map((access) => shownAccess(access, boundary)),
  operators: (value, { words }) => objects(value).map((operator) => shownOperator(operator, words)),
  batches: numbers,
  bytes: numbers,
  rows: numbers,
  memoryPeakBytes: numbers,
  spillBytes: numbers,
  residue: numbers,
  timings: numbers,
};

/** Where a text stands, and nothing where none does. */
function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}

/** Numbers and truths, as deep as they lie. */
function numbers(value: Json): Json {
  if (typeof value === 'string') return HIDDEN;
  if (Array.isArray(value)) return value.map(numbers);
  return isObject(value) ? numbersOf(value) : value;
}

function numbersOf(value: Members): Members {
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, numbers(inner)]));
}

function namedAndTyped({ name = '', type = '' }: Members, { words }: Showing): Members {
  return { name: redactSql(textOf(name), words), type: shownType(textOf(type)) };
}

const TYPES = 'boolean tinyint smallint int bigint real double string binary date time timestamp timestamptz'.split(
  ' ',
);

/** A type of the contract without its numbers. Another can hold names and numbers that the statement gave it. */
export function shownType(type: string): string {
  return TYPES.includes(type) ? type : type.startsWith('decimal') ? 'decimal' : HIDDEN;
}

function lineage(value: Json, { words }: Showing): Json {
  if (!isObject(value)) return null;
  const inputs = (given: Json): Json =>
    objects(given).map((input) => ({
      table: words.quoted(textOf(input['table'])) ?? HIDDEN,
      column: words.quoted(textOf(input['column'])) ?? HIDDEN,
      masked: input['masked'] === true,
      how: texts(input['how']).filter((how) => /^[a-z_]+$/.test(how)),
    }));
  return {
    columns: objects(value['columns']).map((column) => ({
      name: redactSql(textOf(column['name']), words),
      inputs: inputs(column['inputs'] ?? null),
    })),
    dataset: inputs(value['dataset'] ?? null),
    widened: value['widened'] === true,
  };
}

function tables(value: Json, { words, boundary }: Showing): Json {
  const known = (names: Json | undefined, all: object): readonly string[] =>
    texts(names).filter((name) => Object.hasOwn(all, name));
  const used = Object.entries(isObject(value) ? value : {}).filter(([name]) => words.quoted(name) !== null);
  return Object.fromEntries(
    used.map(([name, use]) => {
      const { columns, filters, masks, pushedPredicates } = use as Members;
      return [
        name,
        {
          source: name,
          columns: texts(columns).map((column) => words.quoted(column) ?? HIDDEN),
          filters: known(filters, boundary.rowFilters),
          masks: Object.fromEntries(
            Object.entries(isObject(masks) ? masks : {}).flatMap(([column, ids]) =>
              words.quoted(column) === null ? [] : [[column, known(ids, boundary.masks)]],
            ),
          ),
          innerPlans: [],
          pushedPredicates: texts(pushedPredicates).map((predicate) => redactSql(predicate, words)),
        },
      ];
    }),
  );
}

/** Operators and their metrics are the engine's own words. */
function shownOperator(given: Members, words: Words): Members {
  const { operator, depth, inside, metrics, startMicros, endMicros } = given;
  const word = (text: Json | undefined): string => (/^\w+$/.test(textOf(text)) ? textOf(text) : HIDDEN);
  return {
    operator: word(operator),
    depth: typeof depth === 'number' ? depth : 0,
    inside: typeof inside === 'string' ? (words.quoted(inside) ?? HIDDEN) : null,
    metrics: numbers(metrics ?? null),
    startMicros: numbers(startMicros ?? null),
    endMicros: numbers(endMicros ?? null),
  };
}

/** Stores and references are the boundary's, versions the store's. */
function shownAccess(access: Members, boundary: Boundary): Members {
  const { store = null, credential = null, version = null } = access;
  return { ...numbersOf(access), store, credential, version, object: shownObject(access, boundary) };
}

/**
 * An object of a table. The folder of a partition says which values were asked for, even where it is not there, so their
 * names are shown without values; of the rest, files that were there.
 */
function shownObject({ object, version }: Members, boundary: Boundary): string {
  const path = textOf(object);
  for (const table of Object.values(boundary.tables)) {
    if (path === table.path) return path;
    if (!table.path.endsWith('/') || !path.startsWith(table.path)) continue;
    const parts = path.slice(table.path.length).split('/');
    return `${table.path}${parts.map((part, at) => shownPart(part, table, at === parts.length - 1 && version !== null)).join('/')}`;
  }
  return HIDDEN;
}

function shownPart(part: string, { partitions = [] }: Boundary['tables'][string], wasThere: boolean): string {
  const partition = partitions.find((name) => part.startsWith(`${name}=`));
  if (partition !== undefined) return `${partition}=${HIDDEN}`;
  return part === '' || wasThere ? part : HIDDEN;
}

function isObject(value: Json | undefined): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function objects(value: Json | undefined): readonly Members[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function texts(value: Json | undefined): readonly string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}
