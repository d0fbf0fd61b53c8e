import type { Boundary } from '@ambit/contract';
import type { Grant } from '@ambit/policy';
import type { SessionEvidence } from '@ambit/evidence';
import type { Revealed } from '@ambit/session';

type Report = Readonly<Record<string, unknown>>;
type Access = { readonly store: string; readonly credential: string | null; readonly object: string };

/** A session's evidence. Its own subject does not see what was counted on the way: it tells of hidden rows. */
export function present({ evidence: session, seal }: Revealed, whole: boolean): object {
  const { intent, outcome, grant, boundary, review } = session;
  return {
    session: intent.session,
    intent: whole ? intent : consumersIntent(intent),
    outcome: outcome === null || whole ? outcome : consumersOutcome(outcome, grantedPaths(session)),
    grant: whole ? (grant?.grant ?? null) : consumersGrant((grant?.grant ?? null) as Grant | null),
    boundary: whole
      ? (boundary?.boundary ?? null)
      : consumersBoundary((boundary?.boundary ?? null) as Boundary | null, (grant?.grant ?? null) as Grant | null),
    // Who approved it is the owner's to know.
    review: whole ? review : null,
    whole,
    ...(seal === null ? {} : { seal }),
  };
}

/** Who had it repeated, not with which credential. */
function consumersIntent(intent: SessionEvidence['intent']): object {
  if (intent.replay === undefined) return intent;
  const { authentication: _, ...by } = intent.replay.by as Report;
  return { ...intent, replay: { of: intent.replay.of, by } };
}

/** Whose keys its stores were asked with is the owner's to know, beside what was counted. */
function consumersOutcome(whole: NonNullable<SessionEvidence['outcome']>, paths: readonly string[]): object {
  const { issued: _, ...outcome } = whole;
  return {
    ...outcome,
    error: outcome.error === null ? null : { ...outcome.error, detail: null },
    engine: outside(outcome.engine as Report | null, outcome.status === 'completed', paths),
  };
}

/** Where the granted tables lie: what else was opened, a policy read. */
function grantedPaths({ grant, boundary }: SessionEvidence): readonly string[] {
  const tables = (boundary?.boundary as Boundary | undefined)?.tables ?? {};
  const granted = Object.keys((grant?.grant as Grant | undefined)?.tables ?? {});
  return granted.flatMap((name) => tables[name]?.path ?? []);
}

/** Not even what operators above the barriers counted: their batches, and how far they came, depend on hidden rows. */
function outside(engine: Report | null, completed: boolean, paths: readonly string[]): object | null {
  if (engine === null) return null;
  const { sandbox, columns, lineage, views, functions, planDigest, resultDigest, residue, accesses, tables } =
    engine as {
      accesses?: readonly Access[];
      tables?: Readonly<Record<string, Report>>;
    } & Report;
  return {
    sandbox,
    columns,
    // Of the statement and of columns that were granted, nothing of rows.
    lineage,
    views,
    functions,
    planDigest,
    // Of rows that were delivered.
    resultDigest: completed ? resultDigest : null,
    residue,
    accesses: opened(accesses ?? [], paths),
    tables: Object.fromEntries(
      Object.entries(tables ?? {}).map(([name, { innerPlans: _inner, pushedPredicates: _pushed, ...use }]) => [
        name,
        use,
      ]),
    ),
  };
}

/** That a table's path was opened, and with which credential: not how much of it was read, nor which files of a folder. */
function opened(accesses: readonly Access[], paths: readonly string[]): readonly object[] {
  const found = new Map<string, object>();
  for (const { store, credential, object } of accesses) {
    const path = paths.find((one) => one === object || (one.endsWith('/') && object.startsWith(one)));
    if (path !== undefined) found.set(`${store} ${path}`, { store, credential, object: path });
  }
  return [...found.values()];
}

/** Denials name what the subject was not to know of. */
function consumersGrant(grant: Grant | null): object | null {
  return grant === null ? null : { ...grant, decisions: grant.decisions.filter(({ allowed }) => allowed) };
}

/** The boundary as far as it was granted, without the texts of policies, where stores are, and who is believed. */
function consumersBoundary(boundary: Boundary | null, grant: Grant | null): object | null {
  if (boundary === null || grant === null) return null;
  const granted = <V>(map: Readonly<Record<string, V>>, names: readonly string[]): Record<string, V> =>
    Object.fromEntries(Object.entries(map).filter(([name]) => names.includes(name)));
  const tables = Object.entries(granted(boundary.tables, Object.keys(grant.tables))).map(([name, table]) => {
    const visible = grant.tables[name]?.columns.map((column) => column.name) ?? [];
    return [name, { ...table, columns: table.columns.filter((column) => visible.includes(column.name)) }] as const;
  });
  const catalogs = granted(
    boundary.catalogs,
    tables.map(([, { catalog }]) => catalog),
  );
  const stores = granted(
    boundary.stores,
    Object.values(catalogs).map(({ store }) => store),
  );
  const { credentials: _c, issuers: _i, ...shown } = boundary;
  return {
    ...shown,
    product: { ...boundary.product, owner: { team: boundary.product.owner.team, reviewers: [] } },
    purposes: granted(boundary.purposes, [grant.purpose]),
    claims: {},
    anonymous: null,
    tables: Object.fromEntries(tables),
    catalogs,
    stores: Object.fromEntries(
      Object.entries(stores).map(([name, { kind, credential }]) => [name, { kind, root: '', credential }]),
    ),
    views: granted(boundary.views, Object.keys(grant.views)),
    queries: granted(boundary.queries, grant.queries),
    functions: grant.functions,
    rowFilters: described(boundary, grant),
    masks: {},
    policies: {},
  };
}

/** Row filters that apply say what they are for, not how they are written or what they read. */
function described(boundary: Boundary, grant: Grant): object {
  const ids = Object.values(grant.tables).flatMap(({ filters }) => filters.map(({ id }) => id));
  return Object.fromEntries(
    ids.map((id) => {
      const { table = '', description = '' } = boundary.rowFilters[id] ?? {};
      return [
        id,
        { table, description, where: description, claims: [], reads: { tables: {}, views: [], functions: [] } },
      ];
    }),
  );
}
