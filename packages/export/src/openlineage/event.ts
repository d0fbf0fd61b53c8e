import { type Json, type RecordEnvelope, type SessionIntent, type SessionOutcome, sha256 } from '@ambit/evidence';
import { runId, traceOf } from '../identity.ts';
import { columnName, errorText, type Report, reportOf } from '../report.ts';
import { columnLineage } from './column-lineage.ts';
import { eventBase, facet, sessionFacet } from './facets.ts';

type Of<Body> = RecordEnvelope & Body;

/** What a boundary says that events need. */
export interface BoundaryFacts {
  readonly engine: { readonly name: string; readonly version: string } | null;
  /** Declared type by column, by table. */
  readonly types: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** An OpenLineage run event. */
export interface RunEvent {
  readonly eventType: 'START' | 'COMPLETE' | 'FAIL' | 'ABORT';
  readonly eventTime: string;
  readonly run: { readonly runId: string; readonly facets: Json };
  readonly job: { readonly namespace: string; readonly name: string; readonly facets: Json };
  readonly inputs: readonly Json[];
  readonly outputs: readonly Json[];
  readonly producer: string;
  readonly schemaURL: string;
}

/** A session began: what it will read is not known yet. */
export function started(version: string, intent: Of<SessionIntent>, boundary: BoundaryFacts | null): RunEvent {
  return {
    eventType: 'START',
    eventTime: intent.at,
    run: {
      runId: runId(intent.session),
      facets: runFacets(version, { intent, boundary, record: intent, outcome: null }),
    },
    job: jobOf(version, intent),
    inputs: [],
    outputs: [],
    ...eventBase(version),
  };
}

/** A session ended. */
export function ended(
  version: string,
  intent: Of<SessionIntent>,
  outcome: Of<SessionOutcome>,
  boundary: BoundaryFacts | null,
): RunEvent {
  const report = reportOf(outcome);
  const completed = outcome.status === 'completed';
  return {
    eventType: endOf(outcome),
    eventTime: outcome.at,
    run: { runId: runId(intent.session), facets: runFacets(version, { intent, boundary, record: outcome, outcome }) },
    job: jobOf(version, intent),
    inputs: report === null ? [] : inputsOf(version, intent, report, boundary),
    outputs: report === null || !completed ? [] : [outputOf(version, intent, outcome, report)],
    ...eventBase(version),
  };
}

/** ABORT: somebody or something stopped it from outside. FAIL: it could not be done. */
function endOf({ status, error }: SessionOutcome): RunEvent['eventType'] {
  if (status === 'completed') return 'COMPLETE';
  if (status === 'cancelled' || status === 'orphaned') return 'ABORT';
  return error?.code === 'cancelled' ? 'ABORT' : 'FAIL';
}

const namespaceOf = ({ environment, product }: SessionIntent): string => `ambit://${environment}/${product}`;

function jobName({ statement: { name, sql, digest }, sealed }: SessionIntent): string {
  if (name !== null) return `query/${name}`;
  // A digest of what was sealed is another each time: what shows of the statement says which job it is.
  return `statement/${sealed === undefined ? digest : `sha256:${sha256(sql)}`}`;
}

function jobOf(version: string, intent: SessionIntent): RunEvent['job'] {
  return {
    namespace: namespaceOf(intent),
    name: jobName(intent),
    facets: facet(version, 'jobType', { processingType: 'BATCH', integration: 'AMBIT', jobType: 'QUERY' }),
  };
}

interface About {
  readonly intent: Of<SessionIntent>;
  readonly boundary: BoundaryFacts | null;
  /** What the event is made of. */
  readonly record: RecordEnvelope;
  readonly outcome: SessionOutcome | null;
}

function runFacets(version: string, { intent, boundary, record, outcome }: About): Json {
  const { tenant = null, principal = null, kind = null } = intent.subject as { readonly [name: string]: Json };
  const message = outcome === null ? null : errorText(outcome);
  const engine = boundary?.engine ?? null;
  return {
    ...sessionFacet(version, {
      session: intent.session,
      evidence: record.seq,
      product: intent.product,
      version: intent.version,
      fingerprint: intent.fingerprint,
      grant: intent.grant,
      purpose: intent.purpose,
      tenant,
      principal,
      kind,
      statement: intent.statement.digest,
      traceId: intent.traceparent === null ? null : traceOf(intent.session, intent.traceparent).traceId,
      ...(outcome === null ? {} : { status: outcome.status }),
    }),
    ...(engine === null ? {} : facet(version, 'processing_engine', { ...engine, openlineageAdapterVersion: version })),
    ...(message === null ? {} : facet(version, 'errorMessage', { message, programmingLanguage: 'SQL' })),
  };
}

/** Governed tables that were read, with the columns that the statement took of them. */
function inputsOf(
  version: string,
  intent: SessionIntent,
  { tables }: Report,
  boundary: BoundaryFacts | null,
): readonly Json[] {
  return Object.entries(tables).map(([table, { columns }]) => {
    const types = boundary?.types[table] ?? {};
    const fields = columns.map((name) => {
      const type = types[name];
      return type === undefined ? { name } : { name, type };
    });
    return { namespace: namespaceOf(intent), name: table, facets: facet(version, 'schema', { fields }) };
  });
}

/** The result: it is nowhere but with its consumer, and is named after the job. */
function outputOf(
  version: string,
  intent: SessionIntent,
  { rows, bytes }: SessionOutcome,
  { columns, lineage }: Report,
): Json {
  const namespace = namespaceOf(intent);
  const fields = columns.map(({ name, type }, at) => ({ name: columnName(name, at), type }));
  const from = columnLineage(lineage, namespace);
  return {
    namespace,
    name: `result/${jobName(intent)}`,
    facets: {
      ...facet(version, 'schema', { fields }),
      ...(from === null ? {} : facet(version, 'columnLineage', from)),
    },
    outputFacets: facet(version, 'outputStatistics', { rowCount: rows, size: bytes }),
  };
}
