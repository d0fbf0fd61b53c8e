/** The append-only evidence log: records, segments, Merkle tree, checkpoints, receipts, recovery, verification. */
export { canonical, sha256 } from './canonical.ts';
export { type Checkpoint, parseCheckpoint, type SignedCheckpoint } from './checkpoint.ts';
export {
  EvidenceContradiction,
  EvidenceDamaged,
  EvidenceKeyUnknown,
  EvidenceLocked,
  EvidenceUnavailable,
} from './errors.ts';
export { disk, type Files, type LogFile } from './files.ts';
export { type Followed, logEnd, type LogPlace, logStart, readAfter } from './follow.ts';
export { type ConsistencyProof, type EvidenceLog, openLog, type SessionEvidence, type SessionFilter } from './log.ts';
export { provesConsistency } from './merkle.ts';
export { parseVerifierKey } from './note.ts';
export type { Problem, ProblemKind } from './problem.ts';
export { type Receipt, type ReceiptEntry, type ReceiptVerdict, verifyReceipt } from './receipt.ts';
export { type ReadableSegment, type ReadRecord, readableSegments, readRecords } from './reader.ts';
export { recordSchema } from './record-schema.ts';
export type {
  AppliedOpening,
  AppliedReview,
  BoundaryLoaded,
  BreakGlassEnded,
  BreakGlassOpened,
  ReloadApplied,
  ReloadRefused,
  EvidenceGap,
  EvidencePruned,
  EvidenceRecord,
  GrantIssued,
  Json,
  KeyRotated,
  LogClosed,
  LogOpened,
  RecordBody,
  RecordEnvelope,
  RequestRefused,
  ReviewApplied,
  SessionIntent,
  SessionOutcome,
  StatementRecord,
} from './record.ts';
export { type Trust, type Verification, verifyLog } from './verify.ts';
