import type { Problem } from '@ambit/contract';
import type { EngineErrorCode } from '@ambit/engine';
import type { Decision } from '@ambit/policy';

/** Codes of boundaries before the engine. */
export type RefusalCode =
  | 'product_unknown'
  | 'version_ended'
  | 'purpose_required'
  | 'purpose_refused'
  | 'policy_failed'
  | 'boundary_unapproved'
  | 'query_unknown'
  | 'parameter_invalid'
  | 'limit_concurrency'
  | 'cancelled'
  | 'limit_time';

/** There is no session: a boundary refused before the engine saw anything. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly code: RefusalCode;
  readonly hint: string | null;
  readonly decisions: readonly Decision[];
  constructor(code: RefusalCode, message: string, hint: string | null, decisions: readonly Decision[]) {
    super(message);
    this.code = code;
    this.hint = hint;
    this.decisions = decisions;
  }
}

/** A session ended without its result. For the consumer: never the engine's own text. */
export class SessionFailed extends Error {
  override readonly name = 'SessionFailed';
  readonly code:
    | EngineErrorCode
    | 'engine_crashed'
    | 'engine_unavailable'
    | 'evidence_unavailable'
    | 'credential_unavailable';
  readonly hint: string | null;
  readonly position: { readonly line: number; readonly column: number } | null;
  readonly session: string;
  readonly fingerprint: string;
  constructor(
    session: { readonly id: string; readonly fingerprint: string },
    error: {
      readonly code: SessionFailed['code'];
      readonly message: string;
      readonly hint: string | null;
      readonly position: SessionFailed['position'];
    },
  ) {
    super(error.message);
    this.session = session.id;
    this.fingerprint = session.fingerprint;
    this.code = error.code;
    this.hint = error.hint;
    this.position = error.position;
  }
}

/** Contracts or their environment are wrong: nothing of them is served. */
export class ContractsInvalid extends Error {
  override readonly name = 'ContractsInvalid';
  readonly problems: readonly Problem[];
  /** Files that the environment would be made of, there or not. */
  readonly files: readonly string[];
  constructor(problems: readonly Problem[], files: readonly string[] = []) {
    super(`${problems.length} problems in the contracts`);
    this.problems = problems;
    this.files = files;
  }
}
