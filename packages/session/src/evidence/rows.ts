import type { Boundary } from '@ambit/contract';
import type { SourceAccess } from '@ambit/engine';
import type {
  EvidenceRecord,
  Json,
  QualityChecked,
  RecordEnvelope,
  ReviewApplied,
  SessionEvidence,
} from '@ambit/evidence';
import type { Decision, Governor, Grant, Subject } from '@ambit/policy';

// Records as rows of the product `evidence`. Pure: the same records give the same rows, which is why they can be built again.

/** A row of a table, by column. What is undefined is NULL. */
export type Row = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** A row and the table that it is in. */
export type TableRow = readonly [table: RecordTable, row: Row];

/** Tables of what sessions, refusals and checks of quality left: a file for each part of the log. */
export const recordTables = ['sessions', 'uses', 'credentials', 'opened', 'accesses', 'refusals', 'quality'] as const;

/**
 * Tables of grants, boundaries and reviews: a file for each of these, however many sessions had it. How often it was
 * recorded would tell each of its subjects about the others.
 */
export const documentTables = ['grants', 'decisions', 'settings', 'reviews'] as const;

export type RecordTable = (typeof recordTables)[number];
export type DocumentTable = (typeof documentTables)[number];

/** The rows of a grant, a boundary or a review, in all tables that have some. */
export type DocumentRows = Readonly<Partial<Record<DocumentTable, readonly Row[]>>>;

type Refusal = Extract<EvidenceRecord, { readonly type: 'request.refused' }>;

interface Report {
  readonly tables?: Readonly<
    Record<string, { columns: readonly string[]; filters: readonly string[]; masks: Record<string, string[]> }>
  >;
  readonly views?: readonly string[];
  readonly functions?: readonly string[];
  readonly accesses?: readonly Access[];
  readonly planDigest?: string;
  readonly resultDigest?: string;
  readonly memoryPeakBytes?: number;
  readonly spillBytes?: number;
}

type Access = Omit<SourceAccess, 'ranges'>;

/** Rows of a session that has ended. */
export function sessionRows(evidence: SessionEvidence): readonly TableRow[] {
  const { intent, outcome } = evidence;
  if (outcome === null) return [];
  const subject = intent.subject as unknown as Subject;
  const report = (outcome.engine ?? {}) as Report;
  const key = {
    seq: outcome.seq,
    at: instant(intent.at),
    session: intent.session,
    ...askedBy(subject),
    product: intent.product,
    purpose: intent.purpose,
  };
  const refused = outcome.status === 'refused' ? [refusedStatement(key, evidence)] : [];
  return [
    ['sessions', { ...key, ...sessionRow(evidence, subject, report) }],
    ...used(report).map((row): TableRow => ['uses', { ...key, ...row }]),
    ...credentials(subject, evidence).map((row): TableRow => ['credentials', { ...key, ...row }]),
    ...opened(report.accesses ?? [], evidence).map((row): TableRow => ['opened', { ...key, ...row }]),
    ...(report.accesses ?? []).map((access): TableRow => ['accesses', { ...key, ...accessRow(access) }]),
    ...refused,
  ];
}

/** Whose the row is: row filters look at these. */
function askedBy({ tenant, principal, kind, onBehalfOf }: Subject): Row {
  const behalf = onBehalfOf === null ? null : `${onBehalfOf.tenant}/${onBehalfOf.principal}`;
  return { tenant, principal, kind, on_behalf_of: behalf };
}

function sessionRow({ intent, outcome, review }: SessionEvidence, subject: Subject, report: Report): Row {
  const { statement } = intent;
  const steps = outcome?.steps ?? {};
  return {
    ended_at: instant(outcome?.at ?? intent.at),
    request: intent.request,
    roles: subject.roles.join(','),
    channel: subject.channel,
    credential: subject.authentication.reference,
    version: intent.version,
    environment: intent.environment,
    fingerprint: intent.fingerprint,
    grant_digest: intent.grant,
    statement_kind: statement.kind,
    statement_name: statement.name,
    statement_digest: statement.digest,
    statement: statement.sql,
    parameters: JSON.stringify(statement.parameters),
    format: intent.format,
    replay_of: intent.replay?.of,
    replayed_by: replayedBy(intent.replay?.by),
    review: intent.review,
    // Unknown where what it names is gone, and not no.
    break_glass: intent.review === undefined ? false : review === null ? null : review.breakGlass !== null,
    status: outcome?.status,
    error_code: outcome?.error?.code,
    error_message: outcome?.error?.message,
    error_detail: outcome?.error?.detail,
    rows_delivered: outcome?.rows,
    bytes_delivered: outcome?.bytes,
    duration_micros: Object.values(steps).reduce((sum, micros) => sum + micros, 0),
    plan_digest: report.planDigest,
    // Of a result that was not delivered whole it would tell more than its consumer saw.
    result_digest: outcome?.status === 'completed' ? report.resultDigest : null,
    memory_peak_bytes: report.memoryPeakBytes,
    spill_bytes: report.spillBytes,
    bytes_read: (report.accesses ?? []).reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

function replayedBy(by: Json | undefined): string | null {
  if (by === undefined) return null;
  const { tenant, principal } = by as { readonly tenant: string; readonly principal: string };
  return `${tenant}/${principal}`;
}

/** What the statement used, a row for each thing. */
function used({ tables = {}, views = [], functions = [] }: Report): readonly Row[] {
  const ofTables = Object.entries(tables).flatMap(([table, { columns, filters, masks }]) => [
    { what: 'table', table_name: table, name: table },
    ...columns.map((name) => ({ what: 'column', table_name: table, column_name: name, name })),
    ...filters.map((name) => ({ what: 'filter', table_name: table, name })),
    ...Object.entries(masks).flatMap(([column, names]) =>
      names.map((name) => ({ what: 'mask', table_name: table, column_name: column, name })),
    ),
  ]);
  return [
    ...ofTables,
    ...views.map((name) => ({ what: 'view', name })),
    ...functions.map((name) => ({ what: 'function', name })),
  ];
}

/** References: what the subject showed, and what its session could open stores with. Never a secret. */
function credentials({ authentication }: Subject, { intent, outcome }: SessionEvidence): readonly Row[] {
  const ofStores = Object.entries((intent.credentials ?? {}) as Readonly<Record<string, string | null>>);
  const keyOf = (reference: string): Row => {
    const issued = outcome?.issued?.find((one) => one.reference === reference);
    if (issued === undefined) return {};
    const { keyId, role, expires } = issued;
    return { key_id: keyId, role, expires: expires === null ? null : instant(expires) };
  };
  return [
    { what: authentication.method, reference: authentication.reference },
    ...ofStores.flatMap(([store, reference]) =>
      reference === null ? [] : [{ what: 'store', store, reference, ...keyOf(reference) }],
    ),
  ];
}

/** That a granted table's path was opened: not how much of it was read, which files of a folder, nor what a policy read. */
function opened(accesses: readonly Access[], { grant, boundary }: SessionEvidence): readonly Row[] {
  const tables = (boundary?.boundary as Boundary | undefined)?.tables ?? {};
  const granted = Object.keys((grant?.grant as Grant | undefined)?.tables ?? {});
  const paths = granted.flatMap((name) => tables[name]?.path ?? []);
  const found = new Map<string, Row>();
  for (const { store, credential, object } of accesses) {
    const path = paths.find((one) => one === object || (one.endsWith('/') && object.startsWith(one)));
    if (path !== undefined) found.set(`${store} ${path}`, { store, credential, path });
  }
  return [...found.values()];
}

function accessRow({ store, credential, object, requests, bytes, size, version, failures }: Access): Row {
  return { store, credential, object, requests, bytes, size, object_version: version, failures };
}

/** A statement that a gate refused. */
function refusedStatement(key: Row, { intent, outcome }: SessionEvidence): TableRow {
  const { request, fingerprint } = intent;
  const { code, message } = outcome?.error ?? {};
  return ['refusals', { ...key, request, fingerprint, code, message, credential: referenceOf(intent.subject) }];
}

function referenceOf(subject: Json): string {
  return (subject as unknown as Subject).authentication.reference;
}

/** The row of a request that got no session. */
export function refusalRows(refusal: Refusal): readonly TableRow[] {
  const { seq, at, request, product, purpose, fingerprint, code, message } = refusal;
  const subject = refusal.subject as unknown as Subject;
  const decisions = (refusal.decisions ?? []) as unknown as readonly Decision[];
  const forbidding = decisions.filter(({ allowed }) => !allowed).flatMap(({ determinedBy }) => determinedBy);
  const row = {
    seq,
    at: instant(at),
    ...askedBy(subject),
    product,
    purpose,
    request,
    fingerprint,
    code,
    message,
    credential: subject.authentication.reference,
    determined_by: [...new Set(forbidding)].toSorted().join(','),
  };
  return [['refusals', row]];
}

/** What the server found of the data of a product, a row for each rule and service level. */
export function qualityRows(checked: RecordEnvelope & QualityChecked): readonly TableRow[] {
  const { seq, at, check, product, version, environment, fingerprint, results, closed } = checked;
  return results.map(
    ({ kind, table, column, name, status, severity, promise, value, code }): TableRow => [
      'quality',
      {
        seq,
        at: instant(at),
        check_id: check,
        product,
        version,
        environment,
        fingerprint,
        kind,
        table_name: table,
        column_name: column,
        name,
        status,
        severity,
        promise,
        value,
        code,
        closed: closed.includes(table),
      },
    ],
  );
}

/** What a grant shows, a row for each column, and each decision that made it. */
export function grantRows(digest: string, grant: Grant, boundary: Boundary): DocumentRows {
  const { fingerprint, product, purpose } = grant;
  const key = { grant_digest: digest, fingerprint, product, purpose };
  const grants = Object.entries(grant.tables).flatMap(([name, table]) => {
    const declared = boundary.tables[name];
    const catalog = declared?.catalog ?? '';
    const source = { table_name: name, catalog, store: boundary.catalogs[catalog]?.store, path: declared?.path };
    const filters = { filters: applying(table.filters), exempted_filters: exempted(table.filters) };
    return table.columns.map(({ name: column_name, masks }) => {
      const masked = { masks: applying(masks), exempted_masks: exempted(masks) };
      return { ...key, ...source, column_name, ...filters, ...masked };
    });
  });
  const decisions = grant.decisions.map(({ action, resource, allowed, determinedBy }) => {
    return { ...key, action, resource, allowed, determined_by: determinedBy.join(',') };
  });
  return { grants, decisions };
}

function applying(governors: readonly Governor[]): string {
  return governors.flatMap(({ id, exemptedBy }) => (exemptedBy.length === 0 ? [id] : [])).join(',');
}

function exempted(governors: readonly Governor[]): string {
  return governors.flatMap(({ id, exemptedBy }) => (exemptedBy.length > 0 ? [id] : [])).join(',');
}

/** Every setting of a boundary, with who set it. */
export function settingsOf({ product, settings }: Boundary, fingerprint: string): readonly Row[] {
  return Object.entries(settings).map(([setting, { value, origin }]) => ({
    fingerprint,
    product: product.name,
    version: product.version,
    setting,
    value,
    origin,
  }));
}

/** Because of what a boundary was served: a row for each review that counted, and for an operator's opening. */
export function reviewRows(applied: ReviewApplied): readonly Row[] {
  const { digest, product, version, environment, fingerprint, from, effect, needed, reviews, breakGlass } = applied;
  const key = { review: digest, fingerprint, product, version, environment, replaced: from, effect, needed };
  const signed = (what: string, by: (typeof reviews)[number]): Row => ({
    ...key,
    what,
    who: by.who,
    key_name: by.key,
    reason: by.reason,
    signed_at: instant(by.signedAt),
    expires: instant(by.expires),
    statement: by.digest,
  });
  return [
    ...reviews.map((review) => signed('review', review)),
    ...(breakGlass === null ? [] : [signed('break-glass', { ...breakGlass, expires: breakGlass.until })]),
  ];
}

/** As a timestamp in UTC is written. */
function instant(at: string): string {
  return at.replace('Z', '');
}
