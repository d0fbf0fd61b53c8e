import type { BoundaryLimits, BoundarySetting } from './boundary.ts';
import { isType } from './column-type.ts';
import type { Document, Path } from './document.ts';
import { nearest, type Problem } from './problem.ts';
import { checkServiceLevels } from './quality/service-levels.ts';
import type { Contract, Environment, Limits } from './schema.ts';
import { checkStores } from './stores.ts';
import { checkTypes } from './types.ts';
import { durationMs, sizeBytes } from './units.ts';

/** What the engine is: the part of its catalog that contracts name. Structurally the engine protocol's `EngineCatalog`. */
export interface EngineFacts {
  readonly engineVersion: string;
  readonly settings: readonly {
    readonly key: string;
    readonly default: string;
    readonly ambit: string | null;
    readonly settable: boolean;
  }[];
  readonly functions: readonly { readonly name: string; readonly aliases: readonly string[]; readonly group: string }[];
}

/** Checks that need no engine, collected with their places. */
export class Draft {
  readonly problems: Problem[] = [];
  readonly document: Document<Contract>;
  readonly contract: Contract;
  readonly environment: Environment;
  readonly facts: EngineFacts;

  constructor(document: Document<Contract>, contract: Contract, environment: Environment, facts: EngineFacts) {
    this.document = document;
    this.contract = contract;
    this.environment = environment;
    this.facts = facts;
  }

  say(path: Path, message: string, hint: string | null = null, at: 'key' | 'value' = 'value'): void {
    this.problems.push(this.document.problem(path, message, hint, at));
  }

  /** Says so if `word` is none of `known`. */
  known(path: Path, what: string, word: string, known: readonly string[]): boolean {
    if (known.includes(word)) return true;
    const word2 = nearest(word, known);
    const list = known.length === 0 ? 'there are none' : `there are: ${known.slice(0, 20).join(', ')}`;
    this.say(path, `unknown ${what} \`${word}\``, word2 === null ? list : `did you mean \`${word2}\``);
    return false;
  }
}

/** Everything that a contract can have wrong without its SQL being planned. */
export function checkContract(draft: Draft): void {
  checkTypes(draft);
  checkTables(draft);
  checkPolicies(draft);
  checkServiceLevels(draft);
  checkRest(draft);
}

function checkTables(draft: Draft): void {
  const { stores, catalogs, tables, views = {} } = draft.contract;
  for (const [name, { store }] of Object.entries(catalogs)) {
    draft.known(['catalogs', name, 'store'], 'store', store, Object.keys(stores));
  }
  checkStores(draft);
  for (const [name, { catalog, path }] of Object.entries(tables)) {
    draft.known(['tables', name, 'catalog'], 'catalog', catalog, Object.keys(catalogs));
    const reason = leavesStore(path);
    if (reason !== null)
      draft.say(
        ['tables', name, 'path'],
        `path \`${path}\` ${reason}`,
        'a path is relative to its store, and stays in it',
      );
    if (Object.hasOwn(views, name)) draft.say(['views', name], `\`${name}\` is both a table and a view`, null, 'key');
    checkPartitions(draft, name);
  }
}

/** Types whose values the name of a folder can carry. */
const FOLDER_TYPES = ['boolean', 'tinyint', 'smallint', 'int', 'bigint', 'string', 'date'];

function checkPartitions(draft: Draft, name: string): void {
  const { tables, catalogs } = draft.contract;
  const { partitions, columns = {}, path = '', catalog = '' } = tables[name] ?? {};
  if (partitions === undefined) return;
  const at = ['tables', name, 'partitions'];
  if (!path.endsWith('/')) {
    draft.say(at, `table \`${name}\` is a file: it has no partitions`, 'a folder ends with `/`', 'key');
  }
  if (catalogs[catalog]?.type === 'arrow') {
    draft.say(at, 'Arrow files have no partitions', 'use a catalog of type parquet, csv or json', 'key');
  }
  if (Object.keys(columns).every((column) => partitions.includes(column))) {
    draft.say(at, `table \`${name}\` has no column that its files hold`, null, 'key');
  }
  for (const [index, column] of partitions.entries()) {
    if (!draft.known([...at, index], 'column', column, Object.keys(columns))) continue;
    const type = columns[column]?.type ?? '';
    if (isType(type) && !FOLDER_TYPES.includes(type)) {
      draft.say(
        [...at, index],
        `a folder's name cannot carry column \`${column}\` of type \`${type}\``,
        `types here: ${FOLDER_TYPES.join(', ')}`,
      );
    }
  }
}

/** Why a path is not a plain path within its store, or null. */
function leavesStore(path: string): string | null {
  if (path.startsWith('/') || /^[A-Za-z][A-Za-z0-9+.-]*:/.test(path)) return 'is absolute';
  // oxlint-disable-next-line no-control-regex
  if (/[%\\\u0000-\u001f?#*[\]{}]/.test(path)) return 'has a character that can mean something else';
  const parts = path.replace(/\/$/, '').split('/');
  if (parts.includes('..') || parts.includes('.')) return 'leaves its store';
  return parts.includes('') ? 'has an empty part' : null;
}

/** Columns of each mask, from its column or its tag. */
export function maskedColumns(
  contract: Contract,
  mask: { readonly table?: string; readonly column?: string; readonly tag?: string },
) {
  const found: { table: string; column: string }[] = [];
  for (const [table, { columns }] of Object.entries(contract.tables)) {
    for (const [column, { tags = [] }] of Object.entries(columns)) {
      const byTag =
        mask.tag !== undefined && tags.includes(mask.tag) && (mask.table === undefined || mask.table === table);
      if (byTag || (mask.table === table && mask.column === column)) found.push({ table, column });
    }
  }
  return found.toSorted((a, b) => byCode(a.table, b.table) || byCode(a.column, b.column));
}

function byCode(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function checkPolicies(draft: Draft): void {
  const { tables, policies = {} } = draft.contract;
  for (const [id, { table }] of Object.entries(policies.rows ?? {})) {
    draft.known(['policies', 'rows', id, 'table'], 'table', table, Object.keys(tables));
  }
  const masks = Object.entries(policies.masks ?? {});
  for (const [id, mask] of masks) checkMask(draft, id, mask);
  const met = new Map<string, [string, number | undefined][]>();
  for (const [id, mask] of masks) {
    for (const { table, column } of maskedColumns(draft.contract, mask)) {
      const key = `${table}.${column}`;
      met.set(key, [...(met.get(key) ?? []), [id, mask.order]]);
    }
  }
  for (const [column, meeting] of met) {
    const orders = new Set(meeting.map(([, order]) => order));
    if (meeting.length < 2 || (orders.size === meeting.length && !orders.has(undefined))) continue;
    const last = meeting.at(-1)?.[0] ?? '';
    const others = meeting.map(([id]) => `\`${id}\``).join(' and ');
    draft.say(
      ['policies', 'masks', last],
      `masks ${others} meet on \`${column}\` without an order`,
      'give each an `order`; the lower applies first',
      'key',
    );
  }
}

function checkMask(
  draft: Draft,
  id: string,
  mask: { readonly table?: string; readonly column?: string; readonly tag?: string },
): void {
  const path = ['policies', 'masks', id];
  const { tables } = draft.contract;
  const byColumn = mask.table !== undefined && mask.column !== undefined && mask.tag === undefined;
  const byTag = mask.tag !== undefined && mask.column === undefined && mask.table === undefined;
  if (!byColumn && !byTag) {
    draft.say(path, `mask \`${id}\` names neither a column nor a tag`, 'give `table` and `column`, or `tag`', 'key');
    return;
  }
  if (byTag) {
    const tags = Object.values(tables).flatMap(({ columns }) =>
      Object.values(columns).flatMap((column) => column.tags ?? []),
    );
    draft.known([...path, 'tag'], 'tag', mask.tag ?? '', [...new Set(tags)].toSorted());
    return;
  }
  if (!draft.known([...path, 'table'], 'table', mask.table as string, Object.keys(tables))) return;
  draft.known(
    [...path, 'column'],
    'column',
    mask.column as string,
    Object.keys(tables[mask.table as string]?.columns ?? {}),
  );
}

const SCOPES = ['request', 'conversation', 'purpose', 'product', 'tenant'];

function checkRest(draft: Draft): void {
  const { contract } = draft;
  const { purposes, claims = {}, anonymous, session = {} } = contract;
  anonymous?.purposes.forEach((purpose, at) =>
    draft.known(['anonymous', 'purposes', at], 'purpose', purpose, Object.keys(purposes)),
  );
  for (const claim of Object.keys(anonymous?.claims ?? {}))
    draft.known(['anonymous', 'claims', claim], 'claim', claim, Object.keys(claims));
  if (Object.keys(purposes).length === 0)
    draft.say(['purposes'], 'a product needs a purpose', 'nobody can open it without one');
  if (SCOPES.indexOf(session.scope ?? 'request') > SCOPES.indexOf(session.maxScope ?? session.scope ?? 'request')) {
    draft.say(['session', 'scope'], `scope \`${session.scope}\` is wider than maxScope \`${session.maxScope}\``);
  }
}

/** Canonical names of the functions that `functions.allow` names, groups expanded, sorted. */
export function allowedFunctions(draft: Draft): readonly string[] {
  const { functions } = draft.facts;
  const groups = [...new Set(functions.map(({ group }) => `@${group}`))];
  const names = functions.flatMap(({ name, aliases }) => [name, ...aliases]);
  const allowed = new Set<string>();
  draft.contract.functions?.allow.forEach((word, at) => {
    const found = functions.filter(
      ({ name, aliases, group }) => name === word || aliases.includes(word) || `@${group}` === word,
    );
    if (found.length === 0)
      draft.known(
        ['functions', 'allow', at],
        word.startsWith('@') ? 'group' : 'function',
        word,
        word.startsWith('@') ? groups : names,
      );
    for (const { name } of found) allowed.add(name);
  });
  return [...allowed].toSorted();
}

/** Every setting with its value and where it came from. */
export function effectiveSettings(
  draft: Draft,
  environmentProblem: (key: string, message: string, hint: string | null) => void,
): Readonly<Record<string, BoundarySetting>> {
  const settings: Record<string, BoundarySetting> = {};
  const keys = draft.facts.settings.map(({ key }) => key);
  for (const { key, default: value, ambit } of draft.facts.settings) {
    settings[key] = ambit === null ? { value, origin: 'datafusion' } : { value: ambit, origin: 'ambit' };
  }
  const set = (
    origin: 'contract' | 'environment',
    given: Readonly<Record<string, unknown>>,
    say: (key: string, message: string, hint: string | null) => void,
  ): void => {
    for (const [key, value] of Object.entries(given)) {
      const entry = draft.facts.settings.find((candidate) => candidate.key === key);
      const word = nearest(key, keys);
      if (entry === undefined)
        say(key, `unknown setting \`${key}\``, word === null ? null : `did you mean \`${word}\``);
      else if (!entry.settable)
        say(key, `setting \`${key}\` holds up the boundary and is fixed to \`${entry.ambit ?? entry.default}\``, null);
      else settings[key] = { value: String(value), origin };
    }
  };
  set('contract', draft.contract.settings ?? {}, (key, message, hint) =>
    draft.say(['settings', key], message, hint, 'key'),
  );
  set('environment', draft.environment.settings ?? {}, environmentProblem);
  return settings;
}

const DEFAULT_LIMITS: Required<Limits> = {
  timeout: '30s',
  memory: '512MiB',
  spill: '1GiB',
  rows: 1_000_000,
  bytes: '256MiB',
  statement: '64KiB',
  nodes: 5_000,
  depth: 400,
  steps: 2_000,
  concurrency: 8,
  queue: 64,
};

/** The contract's limits, each lowered to the environment's where that is smaller. */
export function effectiveLimits(contract: Limits = {}, environment: Limits = {}): BoundaryLimits {
  const own = { ...DEFAULT_LIMITS, ...contract };
  const amount = (key: keyof Limits, read: (value: never) => number): number => {
    const bound = environment[key];
    const value = read(own[key] as never);
    return bound === undefined ? value : Math.min(value, read(bound as never));
  };
  const number = (value: number): number => value;
  return {
    timeoutMs: amount('timeout', durationMs),
    memoryBytes: amount('memory', sizeBytes),
    spillBytes: amount('spill', sizeBytes),
    rows: amount('rows', number),
    bytes: amount('bytes', sizeBytes),
    statementBytes: amount('statement', sizeBytes),
    statementNodes: amount('nodes', number),
    statementDepth: amount('depth', number),
    planNodes: amount('steps', number),
    concurrency: amount('concurrency', number),
    queue: amount('queue', number),
  };
}

/** Limits that are lower than the contract's own, sorted. */
export function loweredIn(limits: BoundaryLimits, own: BoundaryLimits): readonly (keyof BoundaryLimits)[] {
  const names = Object.keys(limits) as (keyof BoundaryLimits)[];
  return names.filter((name) => limits[name] < own[name]).toSorted();
}
