/** The append-only evidence log: records, segments, group commit, recovery. */
export { canonical, sha256 } from './canonical.ts';
export { EvidenceLocked, EvidenceUnavailable } from './errors.ts';
export { disk, type Files, type LogFile } from './files.ts';
export { type Followed, logEnd, type LogPlace, logStart, readAfter } from './follow.ts';
export { type EvidenceLog, openLog, type SessionEvidence, type SessionFilter } from './log.ts';
export type {
  BoundaryLoaded,
  EvidenceGap,
  EvidenceRecord,
  GrantIssued,
  Json,
  LogOpened,
  RecordBody,
  RecordEnvelope,
  RequestRefused,
  SessionIntent,
  SessionOutcome,
  StatementRecord,
} from './record.ts';
export type { SegmentProblem } from './segment.ts';
export { type Verification, verifySegments } from './verify.ts';
