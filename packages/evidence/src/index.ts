/** The append-only evidence log: records, segments, Merkle tree, checkpoints, receipts, recovery, verification. */
export { canonical, sha256 } from './canonical.ts';
export { type Checkpoint, cosigners, parseCheckpoint, type SignedCheckpoint } from './checkpoint.ts';
export {
  EvidenceContradiction,
  EvidenceDamaged,
  EvidenceKeyUnknown,
  EvidenceLocked,
  EvidenceShared,
  EvidenceUnavailable,
  EvidenceWitnessInvalid,
} from './errors.ts';
export { disk, type Files, type LogFile } from './files.ts';
export { type Followed, logEnd, type LogPlace, logStart, readAfter } from './follow.ts';
export { type ConsistencyProof, type EvidenceLog, openLog } from './log.ts';
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
  CredentialIssued,
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
  ProductRoot,
  RecordBody,
  RecordEnvelope,
  RequestRefused,
  SealDestroyed,
  ServerLost,
  ReviewApplied,
  SessionCredential,
  SessionIntent,
  SessionOutcome,
  SourceDrifted,
  StatementRecord,
} from './record.ts';
export { keyedDigest, seal, SealBroken, type Sealed, type SealKey, unseal } from './seal.ts';
export {
  type DestroyedKey,
  folderSealKeys,
  type SealKeys,
  type SealKeyState,
  type SealPeriod,
} from './seal-keys.ts';
export { type Trust, type Verification, verifyLog, type Witnessed } from './verify.ts';
export type { WitnessAddress } from './witness.ts';
export type { DurableBatch } from './writer.ts';
export type { SessionEvidence, SessionFilter } from './sessions.ts';
export { type FetchedLog, fetchLog } from './shared/fetch.ts';
export type { DatabaseOptions } from './shared/options.ts';
export { type SharedLog, shareLog } from './shared/share.ts';
export { prepareKey } from './signer.ts';
