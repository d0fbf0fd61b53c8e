/** Supervisor and client of the engine workers: the only package that knows their protocol. */
export { engineBinary } from './binary.ts';
export type { EngineConfig } from './config.ts';
export { type Engine, startEngine } from './engine.ts';
export { EngineProtocolError, EngineUnavailable, PolicySqlRefused } from './errors.ts';
export { type Frame, FrameError, readFrames } from './frames.ts';
export type {
  Answer,
  Drift,
  CoarsensRequest,
  Endpoint,
  EngineErrorCode,
  InspectRequest,
  ImpliesRequest,
  Judgement,
  OpenSession,
  Outcome,
  OutputFormat,
  Planned,
  ResultColumn,
  SessionTemplate,
  SourceAccess,
  SourceState,
  StoreCredential,
  TypedValue,
} from './generated/protocol.ts';
export type { RunningSession, SessionEvent } from './session-stream.ts';
export { templateDigest } from './template.ts';
