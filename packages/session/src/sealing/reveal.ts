import {
  type EvidenceLog,
  type Json,
  SealBroken,
  type Sealed,
  type SessionEvidence,
  type SessionIntent,
  type SessionOutcome,
  unseal,
} from '@ambit/evidence';
import { contextOf } from './records.ts';

/**
 * Whether what was sealed of a session can be read. `opened`: it is in its place. Else the records are as the log shows them:
 * `destroyed`, its key was; `unknown`, its key is not where keys are; `broken`, it is not what was sealed.
 */
export interface SealState {
  readonly state: 'opened' | 'destroyed' | 'unknown' | 'broken';
  /** Id of the key. */
  readonly key: string;
  /** When the key was destroyed. UTC, ISO 8601. */
  readonly destroyed: string | null;
}

/** A session's evidence, opened as far as it can be, and how far that is; null: nothing of it was sealed. */
export interface Revealed {
  readonly evidence: SessionEvidence;
  readonly seal: SealState | null;
}

interface Hidden {
  readonly statement?: SessionIntent['statement'];
  readonly error?: SessionOutcome['error'];
  readonly engine?: { readonly [name: string]: Json };
}

/** Opens what is sealed of a session, for those who may read it. */
export async function reveal(evidence: SessionEvidence, { seals }: Pick<EvidenceLog, 'seals'>): Promise<Revealed> {
  const { sealed: ofIntent, ...intent } = evidence.intent;
  if (ofIntent === undefined) return { evidence, seal: null };
  const { sealed: ofOutcome, ...outcome } = evidence.outcome ?? { sealed: undefined };
  const shown = { ...evidence, intent, outcome: evidence.outcome === null ? null : outcome } as SessionEvidence;
  const state = { key: ofIntent.key, destroyed: null };
  const key = await seals.find(ofIntent.key);
  if (key === null) return { evidence: shown, seal: { ...state, state: 'unknown' } };
  if ('at' in key) return { evidence: shown, seal: { ...state, state: 'destroyed', destroyed: key.at } };
  const open = (record: SessionIntent | SessionOutcome, sealed: Sealed | undefined): Hidden =>
    sealed === undefined ? {} : (JSON.parse(unseal(key, contextOf(record), sealed)) as Hidden);
  try {
    const ofStatement = open(evidence.intent, ofIntent);
    const ofEnd = evidence.outcome === null ? {} : open(evidence.outcome, ofOutcome);
    return { evidence: merged(shown, ofStatement, ofEnd), seal: { ...state, state: 'opened' } };
  } catch (error) {
    if (error instanceof SealBroken || error instanceof SyntaxError)
      return { evidence: shown, seal: { ...state, state: 'broken' } };
    throw error;
  }
}

function merged(shown: SessionEvidence, { statement }: Hidden, { error, engine }: Hidden): SessionEvidence {
  const { intent, outcome } = shown;
  const report = (outcome?.engine ?? null) as { readonly [name: string]: Json } | null;
  return {
    ...shown,
    intent: { ...intent, statement: statement ?? intent.statement },
    outcome:
      outcome === null
        ? null
        : { ...outcome, error: error ?? outcome.error, engine: report === null ? null : { ...report, ...engine } },
  };
}

/** Why a session's literals cannot be read; null: they can. */
export function whySealed(seal: SealState | null): string | null {
  if (seal === null || seal.state === 'opened') return null;
  const { state, key, destroyed } = seal;
  if (state === 'destroyed') return `sealed, key ${key} destroyed on ${destroyed?.slice(0, 10) ?? ''}`;
  if (state === 'unknown') return `sealed, key ${key} is not among the keys`;
  return `sealed under key ${key}, and what was sealed was changed since`;
}
