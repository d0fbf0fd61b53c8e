import { digest, type Boundary, type BoundaryTable, type Reads } from '@ambit/contract';
import { type CompiledPolicies, cacheKey, decide, PolicyFailed, type Resource } from './compile.ts';
import type {
  Authorization,
  Decision,
  Governor,
  Grant,
  GrantedColumn,
  GrantedTable,
  Refusal,
  Subject,
} from './grant.ts';

/** Grants kept for each boundary. */
const GRANTS_KEPT_MAX = 10_000;

const kept = new WeakMap<CompiledPolicies, Map<string, Authorization>>();

/** The policy's answer for (subject, purpose, boundary). Default deny; the same answer for the same question. */
export function authorize(compiled: CompiledPolicies, subject: Subject, purpose: string | null): Authorization {
  const cache = kept.get(compiled) ?? new Map<string, Authorization>();
  kept.set(compiled, cache);
  const key = keyOf(compiled, subject, purpose);
  if (key === null) return { allowed: false, refusal: failed([]) };
  const known = cache.get(key);
  if (known !== undefined) return known;
  const answer = decideAll(compiled, subject, purpose);
  const [oldest] = cache.keys();
  if (cache.size >= GRANTS_KEPT_MAX && oldest !== undefined) cache.delete(oldest);
  cache.set(key, answer);
  return answer;
}

/** Null: a claim is not of its declared type, so that no policy could be trusted to see it. */
function keyOf(compiled: CompiledPolicies, subject: Subject, purpose: string | null): string | null {
  try {
    return cacheKey(compiled, subject, purpose);
  } catch (error) {
    if (error instanceof PolicyFailed) return null;
    throw error;
  }
}

function failed(decisions: readonly Decision[]): Refusal {
  const message = 'the policy could not be evaluated';
  const hint = 'a claim of the credential may not be of its declared type; the owner of the product knows';
  return { code: 'policy_failed', message, hint, decisions };
}

/** Whether a subject may read the whole evidence of others' sessions on the product, for one of its purposes. */
export function mayReadEvidence(compiled: CompiledPolicies, subject: Subject, purpose: string | null): Decision {
  return mayAct(compiled, subject, purpose, 'readEvidence');
}

/** Whether a subject may review the product, for one of its purposes. Only people do. */
export function mayReview(compiled: CompiledPolicies, subject: Subject): Decision {
  return mayAct(compiled, subject, null, 'review');
}

function mayAct(
  compiled: CompiledPolicies,
  subject: Subject,
  purpose: string | null,
  action: 'readEvidence' | 'review',
): Decision {
  const product = productOf(compiled.boundary);
  const declared = Object.keys(compiled.boundary.purposes);
  const purposes = declared.filter((one) => purpose === null || one === purpose);
  const denied: Decision = { action, resource: name(product), allowed: false, determinedBy: [] };
  if (action === 'review' && subject.kind !== 'user') return denied;
  for (const asked of purposes) {
    try {
      const answer = decide(compiled, subject, asked, action, product);
      if (answer.allowed) return { ...denied, ...answer };
    } catch (error) {
      if (error instanceof PolicyFailed) return denied;
      throw error;
    }
  }
  return denied;
}

function decideAll(compiled: CompiledPolicies, subject: Subject, purpose: string | null): Authorization {
  const asking = new Asking(compiled, subject);
  try {
    const openable = askable(compiled.boundary, subject).filter((declared) => asking.open(declared));
    const refusal = refuse(compiled.boundary, purpose, openable);
    if (refusal !== null) return { allowed: false, refusal: { ...refusal, decisions: asking.decisions } };
    return { allowed: true, grant: grantOf(asking, compiled, purpose as string) };
  } catch (error) {
    if (!(error instanceof PolicyFailed)) throw error;
    return { allowed: false, refusal: failed(asking.decisions) };
  }
}

/** A request without a credential has the purposes that the contract gives it, and no other. */
function askable(boundary: Boundary, subject: Subject): readonly string[] {
  const declared = Object.keys(boundary.purposes);
  if (subject.kind !== 'anonymous') return declared;
  return declared.filter((purpose) => boundary.anonymous?.purposes.includes(purpose) ?? false);
}

/** An unknown purpose and one that is not permitted get the same answer, and a product that cannot be opened is not there. */
function refuse(
  boundary: Boundary,
  purpose: string | null,
  openable: readonly string[],
): Omit<Refusal, 'decisions'> | null {
  const { name: product } = boundary.product;
  if (openable.length === 0) {
    return {
      code: 'product_unknown',
      message: `no product \`${product}\` for this subject`,
      hint: 'list the products that you may open',
    };
  }
  const yours = `purposes that you may open \`${product}\` for: ${openable.map((one) => `\`${one}\``).join(', ')}`;
  if (purpose === null) return { code: 'purpose_required', message: 'a session needs a purpose', hint: yours };
  if (openable.includes(purpose)) return null;
  return {
    code: 'purpose_refused',
    message: `\`${product}\` cannot be opened for purpose \`${purpose}\``,
    hint: yours,
  };
}

function grantOf(asking: Asking, compiled: CompiledPolicies, purpose: string): Grant & { readonly digest: string } {
  const { boundary } = compiled;
  asking.restart();
  asking.open(purpose);
  const tables = grantTables(asking, boundary, purpose);
  const functions = boundary.functions.filter((fn) => asking.ask(purpose, 'call', functionOf(boundary, fn)).allowed);
  const views = Object.create(null) as Record<string, { determinedBy: readonly string[] }>;
  const readable = (reads: Reads): boolean => covers(tables, views, functions, reads);
  // A view may read views: what one round grants, the next may build on.
  for (let grew = true; grew; ) {
    grew = false;
    for (const [view, { reads }] of sortedEntries(boundary.views)) {
      if (view in views || !readable(reads)) continue;
      const answer = asking.ask(purpose, 'read', { uid: { type: 'View', id: view }, parents: [productOf(boundary)] });
      if (!answer.allowed) continue;
      views[view] = { determinedBy: answer.determinedBy };
      grew = true;
    }
  }
  const queries = Object.entries(boundary.queries)
    .filter(([, { reads }]) => readable(reads))
    .map(([query]) => query)
    .toSorted();
  const grant: Grant = {
    format: 'ambit/grant/v1',
    product: boundary.product.name,
    version: boundary.product.version,
    fingerprint: compiled.fingerprint,
    environment: boundary.environment,
    purpose,
    tables,
    views,
    functions,
    queries,
    decisions: [...asking.decisions],
  };
  return { ...grant, digest: digest(grant) };
}

function covers(
  tables: Readonly<Record<string, GrantedTable>>,
  views: Readonly<Record<string, unknown>>,
  functions: readonly string[],
  reads: Reads,
): boolean {
  const columns = ([table, wanted]: [string, readonly string[]]): boolean => {
    const visible = tables[table]?.columns.map((column) => column.name);
    return visible !== undefined && wanted.every((column) => visible.includes(column));
  };
  return (
    Object.entries(reads.tables).every(columns) &&
    reads.views.every((view) => view in views) &&
    reads.functions.every((fn) => functions.includes(fn))
  );
}

function grantTables(asking: Asking, boundary: Boundary, purpose: string): Record<string, GrantedTable> {
  const granted = Object.create(null) as Record<string, GrantedTable>;
  for (const [table, declared] of sortedEntries(boundary.tables)) {
    const forbidden = asking.forbids(purpose, tableOf(boundary, table));
    const columns = grantColumns(asking, boundary, purpose, table, declared);
    // A forbid on the table itself covers what is in it, however the columns are named.
    if (columns.length === 0 || forbidden) continue;
    const filters = sortedEntries(boundary.rowFilters)
      .filter(([, filter]) => filter.table === table)
      .map(([id]) => governor(asking, purpose, id, filterOf(boundary, id)));
    const determinedBy = [...new Set(columns.flatMap((column) => column.determinedBy))].toSorted();
    granted[table] = { determinedBy, columns, filters };
  }
  return granted;
}

function grantColumns(
  asking: Asking,
  boundary: Boundary,
  purpose: string,
  table: string,
  declared: BoundaryTable,
): GrantedColumn[] {
  const columns: GrantedColumn[] = [];
  for (const column of declared.columns) {
    const answer = asking.ask(purpose, 'read', columnOf(boundary, table, column.name, column.tags));
    if (!answer.allowed) continue;
    const masks = sortedEntries(boundary.masks)
      .filter(([, mask]) => mask.columns.some((masked) => masked.table === table && masked.column === column.name))
      .toSorted(([, a], [, b]) => (a.order ?? 0) - (b.order ?? 0))
      .map(([id]) => governor(asking, purpose, id, maskOf(boundary, id)));
    columns.push({ name: column.name, determinedBy: answer.determinedBy, masks });
  }
  return columns;
}

function governor(asking: Asking, purpose: string, id: string, resource: Resource): Governor {
  const answer = asking.ask(purpose, 'exempt', resource);
  return { id, exemptedBy: answer.allowed ? answer.determinedBy : [] };
}

/** The questions of one subject: resources that no policy can tell apart are asked for once. */
class Asking {
  readonly decisions: Decision[] = [];
  readonly #compiled: CompiledPolicies;
  readonly #subject: Subject;
  readonly #answers = new Map<string, Pick<Decision, 'allowed' | 'determinedBy'>>();
  readonly #listed = new Set<string>();

  constructor(compiled: CompiledPolicies, subject: Subject) {
    this.#compiled = compiled;
    this.#subject = subject;
  }

  /** The grant lists its own decisions, not those that found the purposes. */
  restart(): void {
    this.decisions.length = 0;
    this.#listed.clear();
  }

  open(purpose: string): boolean {
    return this.ask(purpose, 'open', productOf(this.#compiled.boundary)).allowed;
  }

  /** Whether a forbid holds for the resource itself: a deny that some policy determined. Without a permit there is none to forbid. */
  forbids(purpose: string, resource: Resource): boolean {
    const answer = this.ask(purpose, 'read', resource);
    return !answer.allowed && answer.determinedBy.length > 0;
  }

  ask(purpose: string, action: Decision['action'], resource: Resource): Pick<Decision, 'allowed' | 'determinedBy'> {
    const key = `${purpose}\n${action}\n${this.#kin(resource)}`;
    const answer = this.#answers.get(key) ?? decide(this.#compiled, this.#subject, purpose, action, resource);
    this.#answers.set(key, answer);
    const asked = `${action} ${name(resource)}`;
    // A mask on two columns is one decision.
    if (!this.#listed.has(asked)) this.decisions.push({ action, resource: name(resource), ...answer });
    this.#listed.add(asked);
    return answer;
  }

  /** Resources have no attributes but the product's, so type, kin and being named are all that a policy can see. */
  #kin(resource: Resource): string {
    const { type, id } = resource.uid;
    const named = this.#compiled.named.has(`${type}::${id}`) ? id : '*';
    return `${type}::${named}<${resource.parents
      .map((parent) => this.#kin(parent))
      .toSorted()
      .join(',')}>`;
  }
}

function name({ uid }: Resource): string {
  return `${uid.type}::${JSON.stringify(uid.id)}`;
}

function productOf(boundary: Boundary): Resource {
  const { tenant, name: id, version } = boundary.product;
  return { uid: { type: 'Product', id }, attrs: { tenant, name: id, version }, parents: [] };
}

function tableOf(boundary: Boundary, table: string): Resource {
  return { uid: { type: 'Table', id: table }, parents: [productOf(boundary)] };
}

function tagOf(boundary: Boundary, tag: string): Resource {
  return { uid: { type: 'Tag', id: tag }, parents: [productOf(boundary)] };
}

function columnOf(boundary: Boundary, table: string, column: string, tags: readonly string[]): Resource {
  const parents = [tableOf(boundary, table), ...tags.map((tag) => tagOf(boundary, tag))];
  return { uid: { type: 'Column', id: `${table}.${column}` }, parents };
}

function functionOf(boundary: Boundary, fn: string): Resource {
  return { uid: { type: 'Function', id: fn }, parents: [productOf(boundary)] };
}

function filterOf(boundary: Boundary, id: string): Resource {
  const table = boundary.rowFilters[id]?.table ?? '';
  return { uid: { type: 'RowFilter', id }, parents: [tableOf(boundary, table), productOf(boundary)] };
}

function maskOf(boundary: Boundary, id: string): Resource {
  const tag = boundary.masks[id]?.tag ?? null;
  const parents = tag === null ? [productOf(boundary)] : [tagOf(boundary, tag), productOf(boundary)];
  return { uid: { type: 'Mask', id }, parents };
}

/** In one order: the same boundary gives the same grant, however its contract was written. */
function sortedEntries<V>(map: Readonly<Record<string, V>>): [string, V][] {
  return Object.entries(map).toSorted(([a], [b]) => (a < b ? -1 : 1));
}
