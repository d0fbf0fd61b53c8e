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
