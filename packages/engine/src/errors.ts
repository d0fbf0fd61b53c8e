import type { ComparedList, ComparisonProblem } from './generated/protocol.ts';

/** No worker can run a session now. Nothing of the statement has run. */
export class EngineUnavailable extends Error {
  override readonly name = 'EngineUnavailable';
  readonly code = 'engine_unavailable';
}

/** A worker refused the request itself: a fault of the control plane, never of a consumer. */
export class EngineProtocolError extends Error {
  override readonly name = 'EngineProtocolError';
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** SQL of a policy that is compared with another does not parse, or is not of its type. Quotes the contract alone. */
export class PolicySqlRefused extends Error {
  override readonly name = 'PolicySqlRefused';
  readonly code = 'policy_sql_refused';
  /** The list that it is in, and its place there, from 0. */
  readonly list: ComparedList;
  readonly index: number;
  /** What to do, where known. */
  readonly hint: string | null;
  constructor({ list, index, problem }: ComparisonProblem) {
    super(problem.message);
    this.list = list;
    this.index = index;
    this.hint = problem.hint;
  }
}
