import { EvidenceUnavailable } from '@ambit/evidence';
import { Refused, SessionFailed } from '@ambit/session';

/** Every way to be refused or to fail: code, status, and the boundary that says so. */
export const problems = {
  request_invalid: [400, 'request', 'The request is not of its form'],
  request_timeout: [408, 'request', 'The request did not arrive in time'],
  headers_too_large: [431, 'request', 'The headers are too large'],
  http_version_unsupported: [505, 'request', 'The end of the result cannot be told in this version of HTTP'],
  server_stopping: [503, 'request', 'The server is stopping'],
  credential_required: [401, 'authentication', 'A credential is required'],
  credential_invalid: [401, 'authentication', 'The credential is not valid'],
  identity_unavailable: [503, 'authentication', 'The keys that tell whether a credential is valid cannot be read'],
  not_found: [404, 'request', 'There is nothing here'],
  method_not_allowed: [405, 'request', 'The method is not allowed here'],
  not_acceptable: [406, 'request', 'No format of the result is acceptable'],
  body_too_large: [413, 'request', 'The body is too large'],
  media_type_unsupported: [415, 'request', 'The body is not JSON'],
  product_unknown: [404, 'product', 'No such product for this subject'],
  version_ended: [410, 'product', 'The version of the product has ended'],
  purpose_required: [400, 'purpose', 'A session needs a purpose'],
  purpose_refused: [403, 'purpose', 'The product cannot be opened for this purpose'],
  policy_failed: [503, 'policy', 'The policy could not be evaluated'],
  boundary_unapproved: [503, 'review', 'No owner approved the boundary'],
  query_unknown: [404, 'names', 'No such named query in this session'],
  session_unknown: [404, 'session', 'No such session for this subject'],
  checkpoint_unknown: [404, 'evidence', 'The log was never of that size'],
  boundary_refused: [403, 'policy', 'Only who may review the product, or read all of its evidence, sees its boundary'],
  replay_refused: [403, 'policy', 'Only who may read all of the evidence replays sessions'],
  replay_impossible: [409, 'session', 'The session left nothing that a replay could be compared with'],
  session_ended: [409, 'session', 'The session has ended'],
  sql_syntax: [400, 'statement', 'The statement does not parse'],
  statement_refused: [400, 'statement', 'The statement is not admitted'],
  statement_too_complex: [400, 'statement', 'The statement is too large or too deep'],
  table_unknown: [400, 'names', 'No such table or view in this session'],
  column_unknown: [400, 'names', 'No such column in this session'],
  function_unknown: [400, 'names', 'No such function in this session'],
  sql_invalid: [400, 'statement', 'The statement cannot be planned'],
  parameter_invalid: [400, 'parameters', 'A parameter is missing or not of its type'],
  claim_missing: [403, 'policy', 'A policy needs a claim that the subject does not have'],
  plan_refused: [500, 'plan', 'The plan is not governed throughout'],
  compute_failed: [422, 'computation', 'A value could not be computed'],
  table_closed: [503, 'source', 'The data of the table is not what its contract declares'],
  source_failed: [502, 'source', 'A source could not be read'],
  limit_memory: [422, 'limits', 'The memory limit of the session was reached'],
  limit_spill: [422, 'limits', 'The spill limit of the session was reached'],
  limit_rows: [422, 'limits', 'The row limit of the session was reached'],
  limit_bytes: [422, 'limits', 'The byte limit of the session was reached'],
  limit_time: [504, 'limits', 'The time limit of the session was reached'],
  limit_concurrency: [429, 'limits', 'Too many sessions of the tenant on the product at once'],
  cancelled: [409, 'session', 'The session was cancelled'],
  engine_unavailable: [503, 'engine', 'No worker can run the session'],
  engine_crashed: [502, 'engine', 'The worker of the session died'],
  evidence_unavailable: [503, 'evidence', 'The evidence cannot be written, so nothing runs'],
  credential_unavailable: [503, 'source', 'A credential of the stores cannot be had'],
  internal: [500, 'engine', 'The engine failed'],
} as const satisfies Record<string, readonly [number, string, string]>;

export type ProblemCode = keyof typeof problems;

/** An RFC 9457 problem. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ProblemCode;
  /** The boundary that refused. */
  readonly boundary: string;
  readonly hint: string | null;
  readonly session: string | null;
  /** Where in the statement, both from 1. */
  readonly position: { readonly line: number; readonly column: number } | null;
}

/** A request that this package refuses. */
export class RequestRefused extends Error {
  override readonly name = 'RequestRefused';
  readonly code: ProblemCode;
  readonly hint: string | null;
  constructor(code: ProblemCode, message: string, hint: string | null = null, options: ErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.hint = hint;
  }
}

/** What an error is to a consumer. Null: a fault of ours, of which nothing is told. */
export function problemOf(error: unknown): Problem | null {
  if (error instanceof SessionFailed)
    return problem(error.code, error.message, error.hint, error.session, error.position);
  if (error instanceof Refused || error instanceof RequestRefused)
    return problem(error.code, error.message, error.hint);
  if (error instanceof EvidenceUnavailable) {
    return problem('evidence_unavailable', 'no session can be recorded now, so none is opened', 'try again later');
  }
  return fastifyProblem(
    error as {
      readonly code?: unknown;
      readonly statusCode?: unknown;
      readonly message?: unknown;
      readonly validation?: unknown;
    },
  );
}

export function problem(
  code: ProblemCode,
  detail: string,
  hint: string | null = null,
  session: string | null = null,
  position: Problem['position'] = null,
): Problem {
  const [status, boundary, title] = problems[code];
  return { type: `urn:ambit:problem:${code}`, title, status, detail, code, boundary, hint, session, position };
}

function fastifyProblem(error: {
  readonly statusCode?: unknown;
  readonly message?: unknown;
  readonly validation?: unknown;
}): Problem | null {
  const message = typeof error.message === 'string' ? error.message : '';
  if (error.validation !== undefined) return problem('request_invalid', message, 'the API description tells the form');
  if (error.statusCode === 413) return problem('body_too_large', 'the body is too large');
  if (error.statusCode === 415) return problem('media_type_unsupported', 'send application/json');
  if (typeof error.statusCode === 'number' && error.statusCode >= 400 && error.statusCode < 500) {
    return problem('request_invalid', 'the request cannot be read');
  }
  return null;
}
