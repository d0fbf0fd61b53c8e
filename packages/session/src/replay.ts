import type { OutputFormat } from '@ambit/engine';
import type { EvidenceLog, SessionEvidence, SessionOutcome } from '@ambit/evidence';
import { authorize, type Subject } from '@ambit/policy';
import { SessionFailed } from './errors.ts';
import { limits } from './limits.ts';
import type { Product } from './load.ts';
import type { GivenValue } from './parameters.ts';
import type { Path, Replay, Request } from './path.ts';
import { reveal, whySealed } from './sealing/reveal.ts';
import { productThen } from './served.ts';

// A session is asked again as it was asked: same subject, purpose, statement, parameters, clock and format, on the one
// path, in a session of its own. It runs only where boundary and grant are those of then.

/**
 * `same`: same end, same result, same inputs. `undecided`: as many rows, and what differs may be their order alone. `input_gone`: an object that was read is not there, or not in that version; or what was asked was sealed, and cannot be read.
 * `boundary_gone` and `grant_changed`: nothing ran.
 */
export type ReplayVerdict = 'same' | 'different' | 'undecided' | 'input_gone' | 'boundary_gone' | 'grant_changed';

/** How a session ended, as far as ends can be compared. */
export interface Ended {
  readonly status: SessionOutcome['status'];
  readonly code: string | null;
  readonly rows: number;
  readonly bytes: number;
  /** Null unless it completed. */
  readonly resultDigest: string | null;
}

/** An object that is not what it was. `not opened`: the replay did not come so far. */
export interface InputChange {
  readonly store: string;
  readonly object: string;
  readonly change: 'changed' | 'gone' | 'not opened' | 'new';
  /** Versions. */
  readonly recorded: string | null;
  readonly now: string | null;
}

/** What a replay found. It holds no row of any result. */
export interface Replayed {
  readonly session: string;
  readonly verdict: ReplayVerdict;
  readonly reason: string;
  /** Fingerprints; null: the product is not served. */
  readonly boundary: { readonly recorded: string; readonly now: string | null };
  /** Digests; null: there is no grant now. */
  readonly grant: { readonly recorded: string; readonly now: string | null };
  /** Older records do not hold the session's clock: then it is the time of the intent. */
  readonly clock: 'recorded' | 'of the intent';
  readonly recorded: Ended;
  /** Sessions that ran for it, in order. */
  readonly runs: readonly { readonly session: string; readonly ended: Ended }[];
  readonly inputs: readonly InputChange[];
}

/** There is nothing that a replay could be compared with. */
export class ReplayImpossible extends Error {
  override readonly name = 'ReplayImpossible';
}

/** What a replay needs of a server. */
export interface Replaying {
  readonly path: Path;
  /** What is served now. */
  readonly products: readonly Product[];
  readonly evidence: EvidenceLog;
}

/** Repeats a session and compares. Throws `ReplayImpossible`, or what the one path throws when it cannot run anything. */
export async function replay(
  replaying: Replaying,
  asLogged: SessionEvidence,
  asked: { readonly id: string; readonly by: Replay['by']; readonly signal: AbortSignal },
): Promise<Replayed> {
  const { evidence: recorded, seal } = await reveal(asLogged, replaying.evidence);
  const { intent } = recorded;
  const before = comparable(recorded);
  const product = productThen(replaying, intent);
  if (product?.backing !== undefined) throw new ReplayImpossible('the tables of the evidence grow with each session');
  const subject = intent.subject as unknown as Subject;
  const granted = product === undefined ? null : authorize(product.policies, subject, intent.purpose);
  const grant = granted?.allowed === true ? granted.grant.digest : null;
  const told = {
    session: intent.session,
    boundary: { recorded: intent.fingerprint, now: product?.fingerprint ?? null },
    grant: { recorded: intent.grant, now: grant },
    clock: intent.clockMicros === undefined ? ('of the intent' as const) : ('recorded' as const),
    recorded: before,
  };
  // Never with the grant of then where today's is another.
  const closed = closedBy(told) ?? closedBySeal(whySealed(seal));
  if (closed !== null) return { ...told, ...closed, runs: [], inputs: [] };
  const request = requestOf(recorded, asked);
  const runs: Run[] = [];
  while (runs.length < limits.replayRunsMax) {
    const run = await runOnce(replaying, request, recorded);
    runs.push(run);
    if (!mayMatchYet(before, run)) break;
  }
  const { inputs = [] } = runs.at(-1) ?? {};
  return { ...told, ...judge(before, runs), runs: runs.map(({ session, ended }) => ({ session, ended })), inputs };
}

interface Run {
  readonly session: string;
  readonly ended: Ended;
  readonly inputs: readonly InputChange[];
}

/** Ends that say something of statement and data. The others tell of a moment. */
const repeatable: readonly SessionOutcome['status'][] = ['completed', 'refused', 'failed'];

function comparable({ intent, outcome }: SessionEvidence): Ended {
  if (outcome === null) throw new ReplayImpossible(`session \`${intent.session}\` still runs`);
  if (repeatable.includes(outcome.status)) return endedAs(outcome);
  throw new ReplayImpossible(`session \`${intent.session}\` was ${outcome.status}: it has no result`);
}

function endedAs({ status, error, rows, bytes, engine }: SessionOutcome): Ended {
  const { resultDigest } = (engine ?? {}) as { readonly resultDigest?: string };
  const digest = status === 'completed' ? (resultDigest ?? null) : null;
  return { status, code: error?.code ?? null, rows, bytes, resultDigest: digest };
}

function closedBy({
  boundary,
  grant,
}: Pick<Replayed, 'boundary' | 'grant'>): Pick<Replayed, 'verdict' | 'reason'> | null {
  if (boundary.now === null) return { verdict: 'boundary_gone', reason: 'the product is not served any more' };
  if (boundary.now !== boundary.recorded)
    return { verdict: 'boundary_gone', reason: 'the product is served with another boundary' };
  if (grant.now === null) return { verdict: 'grant_changed', reason: 'the subject would be refused now' };
  if (grant.now !== grant.recorded)
    return { verdict: 'grant_changed', reason: 'the subject would be granted something else now' };
  return null;
}

/** Without what was asked there is nothing to run. */
function closedBySeal(why: string | null): Pick<Replayed, 'verdict' | 'reason'> | null {
  return why === null ? null : { verdict: 'input_gone', reason: `what was asked cannot be read: ${why}` };
}

function requestOf(
  { intent }: SessionEvidence,
  { id, by, signal }: { readonly id: string; readonly by: Replay['by']; readonly signal: AbortSignal },
): Request {
  const { kind, name, sql, parameters } = intent.statement;
  const typed = Object.entries(
    parameters as Readonly<Record<string, { readonly type: string; readonly value: unknown }>>,
  );
  const named = kind === 'query' && name !== null;
  return {
    id,
    subject: intent.subject as unknown as Subject,
    product: `${intent.product}@${intent.version}`,
    purpose: intent.purpose,
    ask: named ? { query: name } : { sql },
    // A named query types its parameters itself. What the evidence keeps as text, a URL would have as text.
    parameters: Object.fromEntries(
      typed.map(([key, given]) => [key, (named ? given.value : given) as GivenValue] as const),
    ),
    parametersFrom: named ? 'url' : 'json',
    format: intent.format as OutputFormat,
    traceparent: null,
    signal,
    replay: { of: intent.session, by, clockMicros: intent.clockMicros ?? Date.parse(intent.at) * 1_000 },
  };
}

/** What ends a session because of this moment, not because of what was asked. */
const passing: readonly string[] = [
  'engine_unavailable',
  'engine_crashed',
  'evidence_unavailable',
  'credential_unavailable',
  'cancelled',
  'internal',
  'limit_time',
  'limit_memory',
  'limit_spill',
];

async function runOnce({ path, evidence }: Replaying, request: Request, recorded: SessionEvidence): Promise<Run> {
  const session = await drained(path, request, recorded);
  const found = await evidence.session(session);
  if (found === null || found.outcome === null) throw new Error('a session that has ended has no outcome');
  const { outcome, ...opened } = (await reveal(found, evidence)).evidence;
  if (outcome === null) throw new Error('a session that was opened has lost its outcome');
  return { session, ended: endedAs(outcome), inputs: changes(recorded, { ...opened, outcome }) };
}

/** Runs it to its end. The rows go to nobody. */
async function drained(path: Path, request: Request, { outcome }: SessionEvidence): Promise<string> {
  try {
    const { session, body } = await path.run(request);
    try {
      for (let next = await body.next(); next.done !== true; next = await body.next());
    } finally {
      await body.return();
    }
    return session;
  } catch (error) {
    const tells =
      error instanceof SessionFailed && (!passing.includes(error.code) || error.code === outcome?.error?.code);
    if (tells) return error.session;
    throw error;
  }
}

interface Access {
  readonly store: string;
  readonly object: string;
  readonly version: string | null;
}

/** What was read of each object. A folder that was listed has no version. */
function objectsOf({ outcome }: SessionEvidence): ReadonlyMap<string, Access> {
  const { accesses = [] } = (outcome?.engine ?? {}) as { readonly accesses?: readonly Access[] };
  const objects = accesses.filter(({ object }) => !object.endsWith('/'));
  return new Map(objects.map((access) => [`${access.store} ${access.object}`, access]));
}

function changes(recorded: SessionEvidence, found: SessionEvidence): readonly InputChange[] {
  const before = objectsOf(recorded);
  const now = objectsOf(found);
  const known = [...before].flatMap(([key, { store, object, version }]): readonly InputChange[] => {
    if (version === null) return [];
    const access = now.get(key);
    if (access?.version === version) return [];
    const change = access === undefined ? 'not opened' : access.version === null ? 'gone' : 'changed';
    return [{ store, object, change, recorded: version, now: access?.version ?? null }];
  });
  const added = [...now].flatMap(([key, { store, object, version }]): readonly InputChange[] =>
    version === null || before.has(key) ? [] : [{ store, object, change: 'new', recorded: null, now: version }],
  );
  return [...known, ...added];
}

/** Whether another run could tell more: all is equal but the bytes, and their order may be nobody's doing. */
function mayMatchYet(before: Ended, { ended, inputs }: Run): boolean {
  return inputs.length === 0 && before.resultDigest !== ended.resultDigest && likely(before, ended);
}

function likely(before: Ended, now: Ended): boolean {
  return (
    before.status === now.status && before.code === now.code && (now.status !== 'completed' || before.rows === now.rows)
  );
}

function judge(before: Ended, runs: readonly Run[]): Pick<Replayed, 'verdict' | 'reason'> {
  const last = runs.at(-1) as Run;
  const equal = likely(before, last.ended) && before.resultDigest === last.ended.resultDigest;
  const moved = last.inputs.filter(({ change }) => change !== 'not opened');
  if (moved.length > 0 || (!equal && last.inputs.length > 0)) {
    const result = equal ? 'the result is the same all the same' : 'the result is another';
    return { verdict: 'input_gone', reason: `what it read is not what it was; ${result}` };
  }
  if (equal) return { verdict: 'same', reason: before.status === 'completed' ? 'the same result' : 'the same end' };
  if (!likely(before, last.ended)) {
    const { status, code, rows } = last.ended;
    const what =
      status === before.status && code === before.code ? `${rows} rows, not ${before.rows}` : (code ?? status);
    return { verdict: 'different', reason: `it ends otherwise: ${what}` };
  }
  return judgeBytes(before, runs);
}

/** All is equal but the digest of the bytes. The rows of then are not kept: their order cannot be told from their values. */
function judgeBytes(before: Ended, runs: readonly Run[]): Pick<Replayed, 'verdict' | 'reason'> {
  const digests = new Set(runs.map(({ ended }) => ended.resultDigest));
  const sized = runs.every(({ ended }) => ended.bytes === before.bytes);
  if (digests.size > 1) {
    const reason = `as many rows, and ${runs.length} runs of today differ from each other too: nothing decides the order of the rows, or a function is volatile`;
    return { verdict: 'undecided', reason };
  }
  if (!sized) return { verdict: 'different', reason: 'as many rows, with other values' };
  if (before.rows <= 1) return { verdict: 'different', reason: 'the one row has other values' };
  return { verdict: 'undecided', reason: 'as many rows and bytes: they come in another order, or have other values' };
}
