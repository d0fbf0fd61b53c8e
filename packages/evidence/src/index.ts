/** The append-only evidence log: records, segments, Merkle tree, checkpoints, receipts, recovery, verification. */
export { canonical, sha256 } from './canonical.ts';
export { cosigners, parseCheckpoint } from './checkpoint.ts';
export {
  EvidenceDamaged,
  EvidenceKeyUnknown,
  EvidenceLocked,
  EvidenceUnavailable,
  EvidenceWitnessInvalid,
} from './errors.ts';
export { disk, type Files } from './files.ts';
export { logEnd, type LogPlace, logStart, readAfter } from './follow.ts';
export { type EvidenceLog, openLog } from './log.ts';
export { provesConsistency } from './merkle.ts';
export { parseVerifierKey } from './note.ts';
export type { Problem } from './problem.ts';
export { type Receipt, type ReceiptVerdict, verifyReceipt } from './receipt.ts';
export { type ReadableSegment, readableSegments, readRecords } from './reader.ts';
export { recordSchema } from './record-schema.ts';
export type {
  AppliedOpening,
  AppliedReview,
  BoundaryLoaded,
  CredentialIssued,
  BreakGlassEnded,
  ReloadApplied,
  EvidenceRecord,
  Json,
  RecordBody,
  RecordEnvelope,
  RequestRefused,
  ReviewApplied,
  SessionCredential,
  SessionIntent,
  SessionOutcome,
  Promised,
  QualityChecked,
  QualityResult,
  QualityStarted,
  SourceDrifted,
} from './record.ts';
export { keyedDigest, seal, SealBroken, type Sealed, type SealKey, unseal } from './seal.ts';
export { folderSealKeys, type SealKeys } from './seal-keys.ts';
export { type Verification, verifyLog } from './verify.ts';
export type { DurableBatch } from './writer.ts';
export type { SessionEvidence } from './sessions.ts';
export { fetchLog } from './shared/fetch.ts';
export type { DatabaseOptions } from './shared/options.ts';
