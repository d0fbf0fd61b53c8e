import type { Boundary, BoundaryFormat, BoundaryLimits, BoundarySetting, Reads } from './boundary.ts';
import {
  allowedFunctions,
  checkContract,
  Draft,
  effectiveLimits,
  effectiveSettings,
  type EngineFacts,
  loweredIn,
  maskedColumns,
} from './draft.ts';
import { deprecationProblems } from './deprecation.ts';
import type { Document, Path } from './document.ts';
import { isType } from './column-type.ts';
import { issuerProblems, issuersOf } from './issuers.ts';
import { ownerOf, ownerProblems } from './owner.ts';
import type { Problem } from './problem.ts';
import type { TakenRules } from './quality/declared.ts';
import { prepareRules, type PreparedRules, serviceLevelsOf } from './quality/resolved.ts';
import type { Contract, Environment } from './schema.ts';
import { credentialsOf, storesOf } from './stores.ts';
import { isScalar, isTextForNumber } from './types.ts';

/** What the engine checks. Structurally the engine protocol's `CheckRequest`. */
export interface CheckRequest {
  tables: Record<string, { name: string; type: string; nullable: boolean }[]>;
  views: Record<string, { sql: string }>;
  functions: string[];
  settings: Record<string, string>;
  claims: Record<string, string>;
  items: { id: string; scope: CheckScope; sql: string }[];
  values: Record<string, { type: string; value: string | number | boolean }>;
}

type CheckScope =
  | { kind: 'rowFilter'; table: string }
  | { kind: 'mask'; table: string; column: string }
  | { kind: 'query'; parameters: Record<string, string> };

/** What it found. Structurally the engine protocol's `CheckReport`. */
export interface CheckReport {
  readonly results: Readonly<Record<string, CheckResult>>;
}

export interface CheckResult {
  readonly problem: {
    readonly message: string;
    readonly hint: string | null;
    readonly line: number | null;
    readonly column: number | null;
    readonly parameter: string | null;
  } | null;
  readonly columns: readonly { readonly name: string; readonly type: string; readonly nullable: boolean }[];
  readonly reads: readonly { readonly table: string; readonly columns: readonly string[] }[];
  readonly views: readonly string[];
  readonly functions: readonly string[];
  readonly claims: readonly string[];
}

/** A contract whose words are right; its SQL is still to be checked. */
export interface Prepared {
  readonly document: Document<Contract>;
  readonly contract: Contract;
  readonly environment: Environment;
  readonly environmentProblem: Document<Environment>['problem'];
  readonly engineVersion: string;
  readonly settings: Readonly<Record<string, BoundarySetting>>;
  readonly limits: BoundaryLimits;
  readonly lowered: readonly (keyof BoundaryLimits)[];
  readonly request: CheckRequest;
  readonly rules: PreparedRules;
  readonly problems: readonly Problem[];
}

/** Checks all but the SQL, and says what of it the engine must check. */
export function prepare(
  document: Document<Contract>,
  contract: Contract,
  environment: { readonly value: Environment; readonly problem: Document<Environment>['problem'] },
  facts: EngineFacts,
  takenRules: TakenRules = new Map(),
): Prepared {
  const draft = new Draft(document, contract, environment.value, facts);
  checkContract(draft);
  draft.problems.push(...ownerProblems(document, contract));
  const functions = allowedFunctions(draft);
  const settings = effectiveSettings(draft, (key, message, hint) => {
    draft.problems.push(environment.problem(['settings', key], message, hint, 'key'));
  });
  const limits = effectiveLimits(contract.limits, environment.value.limits);
  const request = requestFor(contract, functions, settings);
  const rules = prepareRules(document, contract, takenRules, facts, request);
  return {
    document,
    contract,
    environment: environment.value,
    environmentProblem: environment.problem,
    engineVersion: facts.engineVersion,
    settings,
    limits,
    lowered: loweredIn(limits, effectiveLimits(contract.limits)),
    request,
    rules,
    problems: [
      ...draft.problems,
      ...rules.problems,
      ...deprecationProblems(document, contract),
      ...issuerProblems(environment.value, environment.problem),
    ],
  };
}

function requestFor(
  contract: Contract,
  functions: readonly string[],
  settings: Readonly<Record<string, BoundarySetting>>,
): CheckRequest {
  const { tables, views = {}, claims = {} } = contract;
  const columnsOf = (columns: Contract['tables'][string]['columns']) =>
    Object.entries(columns).map(([name, { type, nullable = true }]) => ({ name, type, nullable }));
  return {
    tables: Object.fromEntries(Object.entries(tables).map(([name, { columns }]) => [name, columnsOf(columns)])),
    views: Object.fromEntries(Object.entries(views).map(([name, { sql }]) => [name, { sql }])),
    functions: [...functions],
    settings: Object.fromEntries(Object.entries(settings).map(([key, { value }]) => [key, value])),
    claims: Object.fromEntries(Object.entries(claims).map(([name, { type }]) => [name, type])),
    items: [...policyItems(contract), ...queryItems(contract)],
    values: valuesOf(contract),
  };
}

/** Policies whose tables, columns and claims are right: the others have a problem already. */
function policyItems(contract: Contract): CheckRequest['items'] {
  const { tables, claims = {}, policies = {} } = contract;
  const untyped = Object.keys(claims).filter((name) => !isScalar(claims[name]?.type ?? ''));
  const typed = (sql: string): boolean => !untyped.some((name) => sql.includes(`$claims.${name}`));
  const items: CheckRequest['items'] = [];
  for (const [id, { table, where }] of Object.entries(policies.rows ?? {})) {
    if (Object.hasOwn(tables, table) && typed(where)) {
      items.push({ id: `row:${id}`, scope: { kind: 'rowFilter', table }, sql: where });
    }
  }
  for (const [id, mask] of Object.entries(policies.masks ?? {})) {
    for (const { table, column } of maskedColumns(contract, mask)) {
      if (!typed(mask.with) || !isType(tables[table]?.columns[column]?.type ?? '')) continue;
      items.push({ id: `mask:${id}:${table}.${column}`, scope: { kind: 'mask', table, column }, sql: mask.with });
    }
  }
  return items;
}

/** Queries whose parameters have types. */
function queryItems({ queries = {} }: Contract): CheckRequest['items'] {
  return Object.entries(queries).flatMap(([id, { sql, parameters = {} }]) => {
    const types = Object.fromEntries(Object.entries(parameters).map(([name, { type }]) => [name, type]));
    if (!Object.values(types).every(isScalar)) return [];
    return [{ id: `query:${id}`, scope: { kind: 'query' as const, parameters: types }, sql }];
  });
}

/** Values that the contract itself gives: they must be of their types as a consumer's must. */
function valuesOf({ claims = {}, anonymous, queries = {} }: Contract): CheckRequest['values'] {
  const values: CheckRequest['values'] = {};
  for (const [name, value] of Object.entries(anonymous?.claims ?? {})) {
    const type = claims[name]?.type ?? '';
    if (isScalar(type)) values[`anonymous:${name}`] = { type, value: exactValue(value) };
  }
  for (const [query, { parameters = {} }] of Object.entries(queries)) {
    for (const [name, { type, default: value }] of Object.entries(parameters)) {
      if (value !== undefined && isScalar(type) && !isTextForNumber(type, value))
        values[`default:${query}:${name}`] = { type, value: exactValue(value) };
    }
  }
  return values;
}

/** The engine's findings as problems of the file, or of the environment's. */
export function reportProblems(prepared: Prepared, report: CheckReport): readonly Problem[] {
  return Object.entries(report.results).flatMap(([id, { problem }]) => {
    if (problem === null) return [];
    const { message, hint, line, column, parameter } = problem;
    const { path, what } = placeOfItem(id);
    const { document } = prepared;
    if (parameter !== null) {
      return [document.problem([...path.slice(0, -1), 'parameters', parameter], `${what}: ${message}`, hint, 'key')];
    }
    if (what === null) {
      const inEnvironment = path[0] === 'settings' && prepared.settings[String(path[1])]?.origin === 'environment';
      return [inEnvironment ? prepared.environmentProblem(path, message, hint) : document.problem(path, message, hint)];
    }
    return [document.sqlProblem(path, `${what}: ${message}`, hint, line, column)];
  });
}

/** Where it stands, and what it is if it is SQL. */
function placeOfItem(id: string): { readonly path: Path; readonly what: string | null } {
  const [kind = '', name = '', column = ''] = id.split(':');
  switch (kind) {
    case 'view':
      return { path: ['views', name, 'sql'], what: `view \`${name}\`` };
    case 'row':
      return { path: ['policies', 'rows', name, 'where'], what: `row filter \`${name}\`` };
    case 'mask':
      return { path: ['policies', 'masks', name, 'with'], what: `mask \`${name}\` on \`${column}\`` };
    case 'setting':
      return { path: ['settings', name], what: null };
    case 'anonymous':
      return { path: ['anonymous', 'claims', name], what: null };
    case 'default':
      return { path: ['queries', name, 'parameters', column, 'default'], what: null };
    default:
      return { path: ['queries', name, 'sql'], what: `query \`${name}\`` };
  }
}

/** The boundary, whole. Only for what has no problems. */
export function boundaryOf(
  prepared: Prepared,
  report: CheckReport,
  rules: Pick<Boundary, 'quality'>,
  policies: Readonly<Record<string, string>>,
): Boundary {
  const { contract, environment, request } = prepared;
  const { session = {}, anonymous } = contract;
  const issuers = issuersOf(environment);
  return {
    format: 'ambit/boundary/v1',
    product: {
      name: contract.name,
      version: contract.version,
      tenant: contract.tenant,
      description: contract.description ?? '',
      owner: ownerOf(contract),
      ...deprecationOf(contract),
    },
    environment: environment.name,
    purposes: entries(contract.purposes, (description) => ({ description })),
    claims: entries(contract.claims, ({ type, description = '' }) => ({ type, description })),
    anonymous:
      anonymous === undefined
        ? null
        : { purposes: anonymous.purposes.toSorted(), claims: exact(anonymous.claims ?? {}) },
    ...(Object.keys(issuers).length === 0 ? {} : { issuers }),
    ...(contract.evidence?.literals === 'sealed' ? { evidence: { literals: 'sealed' as const } } : {}),
    session: { scope: session.scope ?? 'request', maxScope: session.maxScope ?? session.scope ?? 'request' },
    ...sourcesOf(contract, environment),
    ...sqlOf(contract, report),
    ...(rules.quality === undefined ? {} : { quality: rules.quality }),
    ...serviceLevelsOf(contract),
    functions: request.functions,
    settings: prepared.settings,
    limits: prepared.limits,
    ...(prepared.lowered.length === 0 ? {} : { lowered: prepared.lowered }),
    policies,
    engine: { name: 'datafusion', version: prepared.engineVersion },
  };
}

function deprecationOf({ deprecation }: Contract): Pick<Boundary['product'], 'deprecation'> {
  if (deprecation === undefined) return {};
  const { since, sunset = null, successor = null, notice = null } = deprecation;
  return { deprecation: { since, sunset, successor, notice } };
}

function sourcesOf(
  contract: Contract,
  environment: Environment,
): Pick<Boundary, 'stores' | 'credentials' | 'catalogs' | 'tables'> {
  const stores = storesOf(contract, environment);
  const credentials = credentialsOf(stores, environment);
  return {
    stores,
    ...(credentials === undefined ? {} : { credentials }),
    catalogs: entries(contract.catalogs, ({ type, store }) => ({ type, store })),
    tables: entries(contract.tables, (table) => ({
      description: table.description ?? '',
      catalog: table.catalog,
      path: table.path,
      format: formatOf(contract.catalogs[table.catalog]),
      ...(table.partitions === undefined ? {} : { partitions: table.partitions }),
      ...(table.statistics === false ? { statistics: false as const } : {}),
      columns: Object.entries(table.columns).map(([name, { type, nullable = true, description = '', tags = [] }]) => ({
        name,
        type,
        nullable,
        description,
        tags: tags.toSorted(),
      })),
    })),
  };
}

/** What the engine found out about every piece of SQL. */
function sqlOf(contract: Contract, report: CheckReport): Pick<Boundary, 'views' | 'rowFilters' | 'masks' | 'queries'> {
  const found = (id: string): CheckResult => {
    const result = report.results[id];
    if (result === undefined) throw new Error(`the engine did not check \`${id}\``);
    return result;
  };
  return {
    views: entries(contract.views, ({ sql, description = '' }, name) => {
      const result = found(`view:${name}`);
      return { description, sql, columns: result.columns, reads: readsOf(result) };
    }),
    rowFilters: entries(contract.policies?.rows, ({ table, where, description = '' }, id) => {
      const result = found(`row:${id}`);
      return { description, table, where, claims: result.claims, reads: readsOf(result) };
    }),
    masks: entries(contract.policies?.masks, (mask, id) => {
      const columns = maskedColumns(contract, mask);
      const claims = columns.flatMap(({ table, column }) => found(`mask:${id}:${table}.${column}`).claims);
      return {
        description: mask.description ?? '',
        with: mask.with,
        columns,
        tag: mask.tag ?? null,
        order: mask.order ?? null,
        claims: [...new Set(claims)].toSorted(),
      };
    }),
    queries: entries(contract.queries, ({ sql, description = '', parameters = {} }, id) => {
      const result = found(`query:${id}`);
      const declared = entries(parameters, (parameter) => ({
        type: parameter.type,
        description: parameter.description ?? '',
        default: parameter.default === undefined ? null : exactValue(parameter.default),
        minimum: parameter.minimum ?? null,
        maximum: parameter.maximum ?? null,
      }));
      return { description, sql, parameters: declared, columns: result.columns, reads: readsOf(result) };
    }),
  };
}

function entries<V, R>(
  map: Readonly<Record<string, V>> | undefined,
  to: (value: V, name: string) => R,
): Record<string, R> {
  return Object.fromEntries(Object.entries(map ?? {}).map(([name, value]) => [name, to(value, name)]));
}

/** A boundary has no floats: a fractional number is kept as its text. */
function exactValue(value: string | number | boolean): string | number | boolean {
  return typeof value === 'number' && !Number.isSafeInteger(value) ? String(value) : value;
}

function exact(claims: Readonly<Record<string, string | number | boolean>>): Record<string, string | number | boolean> {
  return entries(claims, exactValue);
}

function formatOf(catalog: Contract['catalogs'][string] | undefined): BoundaryFormat {
  switch (catalog?.type) {
    case 'csv':
      return { type: 'csv', header: catalog.header ?? true, delimiter: catalog.delimiter ?? ',' };
    case 'json':
      return { type: 'json', array: catalog.layout === 'array' };
    case 'arrow':
      return { type: 'arrow' };
    default:
      return { type: 'parquet' };
  }
}

function readsOf(result: CheckResult): Reads {
  return {
    tables: Object.fromEntries(result.reads.map(({ table, columns }) => [table, columns])),
    views: result.views,
    functions: result.functions,
  };
}
