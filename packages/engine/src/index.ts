/** Supervisor and client of the engine workers: the only package that knows their protocol. */
export { engineBinary } from './binary.ts';
export type { EngineConfig, Isolation } from './config.ts';
export { type Engine, startEngine } from './engine.ts';
export { EngineProtocolError, EngineUnavailable, PolicySqlRefused } from './errors.ts';
export { type Frame, FrameError, readFrames } from './frames.ts';
export type {
  Answer,
  CheckItem,
  CheckReport,
  CheckRequest,
  CheckResult,
  Drift,
  DriftKind,
  CoarsensRequest,
  Counterexample,
  Endpoint,
  EngineCatalog,
  EngineError,
  EngineErrorCode,
  Health,
  InspectReport,
  InspectRequest,
  ImpliesRequest,
  Judgement,
  OpenSession,
  Outcome,
  OutputFormat,
  Planned,
  ResultColumn,
  Sandbox,
  SessionLimits,
  SessionTemplate,
  SourceState,
  StoreCredential,
  TypedValue,
} from './generated/protocol.ts';
export type { Crash, RunningSession, SessionEvent } from './session-stream.ts';
export { templateDigest } from './template.ts';
export type { OperatorLog } from './worker.ts';
