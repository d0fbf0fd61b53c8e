import type { Boundary } from '@ambit/contract';
import {
  canonical,
  type EvidenceLog,
  type Json,
  keyedDigest,
  type RequestRefused,
  seal,
  type SealKey,
  type SessionIntent,
  type SessionOutcome,
} from '@ambit/evidence';
import type { Grant } from '@ambit/policy';
import { limits } from '../limits.ts';
import { HIDDEN, redactSql } from './redact.ts';
import { shownReport, shownType } from './report.ts';
import { type Words, wordsOf } from './words.ts';

// Records of a product whose literals are sealed: what is shown in clear, and beside it, encrypted, what was there instead.

/** What seals the records of one session: its key, which it keeps until its end, and the words that are shown. */
export interface Sealing {
  readonly key: SealKey;
  readonly boundary: Boundary;
  readonly words: Words;
}

type Record = SessionIntent | SessionOutcome | RequestRefused;

/** How a session of a product is sealed; null: its contract has literals kept. Rejects with `EvidenceUnavailable`. */
export async function sealingOf(
  boundary: Boundary,
  grant: Grant,
  { seals }: Pick<EvidenceLog, 'seals'>,
): Promise<Sealing | null> {
  if (boundary.evidence?.literals !== 'sealed') return null;
  return { key: await seals.current(), boundary, words: wordsOf(boundary, grant) };
}

/** Where a sealed text belongs: it opens in this record alone. */
export function contextOf(record: Record): string {
  return `${record.type} ${record.type === 'request.refused' ? record.request : record.session}`;
}

/** An intent whose statement is sealed. The text of a named query is the contract's own, and stays. */
export function sealIntent(intent: SessionIntent, sealing: Sealing | null): SessionIntent {
  if (sealing === null) return intent;
  const { key, words } = sealing;
  const { statement } = intent;
  const shown = statement.kind === 'query' ? statement.sql : redactSql(statement.sql, words);
  const digest =
    statement.kind === 'query' ? statement.digest : keyedDigest(key, `statement ${intent.session}`, statement.sql);
  const parameters = shownParameters(statement.parameters, words);
  const hidden = { statement: statement as unknown as Json };
  return {
    ...intent,
    statement: { ...statement, sql: shown, digest, parameters },
    sealed: seal(key, contextOf(intent), canonical(hidden)),
  };
}

/** Names of parameters that no query declares are whatever somebody wrote, and so are the types that they gave. */
function shownParameters(
  parameters: SessionIntent['statement']['parameters'],
  words: Words,
): SessionIntent['statement']['parameters'] {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, given], at) => {
      const { type } = given as { readonly type: string };
      return [words.parameter(name) ?? `${HIDDEN}${at + 1}`, { type: shownType(type), value: HIDDEN }];
    }),
  );
}

/** An outcome whose error, and whatever of the engine's report may quote the statement, are sealed. */
export function sealOutcome(outcome: SessionOutcome, sealing: Sealing | null): SessionOutcome {
  if (sealing === null) return outcome;
  const { key, boundary, words } = sealing;
  const digest = (of: string, text: string): string => keyedDigest(key, `${of} ${outcome.session}`, text);
  const engine = shownReport(outcome.engine, { words, boundary, digest });
  const { error } = outcome;
  const hidden = differing(outcome.engine, engine);
  return {
    ...outcome,
    error: error === null ? null : { ...error, message: shownMessage(error.code, error.message), detail: null },
    engine,
    sealed: seal(key, contextOf(outcome), canonical({ error, engine: fitting(hidden) })),
  };
}

/** The members of a report for which a record has room, the short ones first. */
function fitting(members: Members): Members {
  let left = limits.sealedCharactersMax;
  const lengths = Object.entries(members).map(([name, value]) => [name, value, canonical(value).length] as const);
  return Object.fromEntries(
    lengths
      .toSorted(([, , a], [, , b]) => a - b)
      .flatMap(([name, value, length]) => {
        left -= length;
        return left < 0 ? [] : [[name, value]];
      }),
  );
}

type Members = { readonly [name: string]: Json };

/** Members that are not shown as they are. */
function differing(whole: Json, shown: Json): Members {
  const before = (whole ?? {}) as Members;
  const after = (shown ?? {}) as Members;
  return Object.fromEntries(
    Object.entries(before).filter(
      ([name, value]) => !Object.hasOwn(after, name) || canonical(value) !== canonical(after[name] ?? null),
    ),
  );
}

/** A refusal: its message and its purpose may be what somebody wrote. */
export async function sealRefusal(
  refusal: RequestRefused,
  boundary: Boundary | undefined,
  { seals }: Pick<EvidenceLog, 'seals'>,
): Promise<RequestRefused> {
  if (boundary?.evidence?.literals !== 'sealed') return refusal;
  const { purpose, message, code } = refusal;
  const declared = purpose === null || Object.hasOwn(boundary.purposes, purpose);
  const told = declared && code === 'purpose_refused' ? message : shownMessage(code, message);
  return {
    ...refusal,
    purpose: declared ? purpose : HIDDEN,
    message: told,
    sealed: seal(await seals.current(), contextOf(refusal), canonical({ purpose, message })),
  };
}

/** Codes whose messages are the server's own words, whatever was asked. */
const OWN_WORDS = new Set([
  'boundary_unapproved',
  'cancelled',
  'credential_unavailable',
  'engine_crashed',
  'engine_unavailable',
  'evidence_unavailable',
  'internal',
  'limit_bytes',
  'limit_concurrency',
  'limit_memory',
  'limit_rows',
  'limit_spill',
  'limit_time',
  'policy_failed',
  'product_unknown',
  'purpose_required',
  'table_closed',
  'version_ended',
]);

function shownMessage(code: string, message: string): string {
  return OWN_WORDS.has(code) ? message : 'the message is sealed: it may quote what was asked';
}
