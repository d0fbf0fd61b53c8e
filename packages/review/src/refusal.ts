import type { Signed, Statement } from './statement.ts';

/** Every way in which a review does not count, or a boundary is not covered. */
export type RefusalCode =
  | 'unreadable'
  | 'signature_invalid'
  | 'key_not_listed'
  | 'key_new'
  | 'signer_other'
  | 'by_agent'
  | 'by_author'
  | 'other_product'
  | 'other_environment'
  | 'other_version'
  | 'other_pair'
  | 'effect_other'
  | 'tests_missing'
  | 'tests_other'
  | 'tests_failed'
  | 'expired'
  | 'signed_ahead'
  | 'revoked'
  | 'too_few'
  | 'chain_broken'
  | 'chain_reset';

/** Why a review does not count, or a boundary is not covered. */
export interface Refusal {
  readonly code: RefusalCode;
  /** The review's file; null where it is not about one review. */
  readonly file: string | null;
  readonly who: string | null;
  /** Lower case, no final stop. */
  readonly message: string;
  /** What to do. */
  readonly hint: string;
}

/** Why a review does not count. */
export function refusal(
  { file, statement }: Pick<Signed<Statement>, 'file' | 'statement'>,
  code: RefusalCode,
  message: string,
  hint: string,
): Refusal {
  return { code, file, who: statement.predicate.who.name, message, hint };
}
