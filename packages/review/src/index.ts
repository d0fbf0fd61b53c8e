/** Review records, and the question: does this review cover this difference? Knows contracts and boundaries, and nothing above. */
export { keepBoundary, keepReview, keepRevocation, readArchive, reviewsFolder } from './archive.ts';
export { type BreakGlass, keepOpening, type Opening, openingOf, readOpenings, removeOpenings } from './break-glass.ts';
export { type Archive, type Asked, differencesTo, stepsTo, type Verdict, verdictOf, withEffects } from './chain.ts';
export { type Counted, short, testsNeeded } from './coverage.ts';
export { type Differ, differenceDigest, effectOf, type Named } from './difference.ts';
export { readEnvelope } from './envelope.ts';
export { Gate, type Standing, whyRefused } from './gate.ts';
export { limits } from './limits.ts';
export type { Refusal } from './refusal.ts';
export { pemSigner, type SigningKey, SigningFailed, signStatement, sshSigner } from './sign.ts';
export { BREAK_GLASS_NAMESPACE, REVIEW_NAMESPACE, sshSigned, unarmoured } from './sshsig.ts';
export {
  BREAK_GLASS_TYPE,
  type BreakGlassStatement,
  instant,
  NOTHING,
  REVIEW_TYPE,
  type ReviewStatement,
  REVOCATION_TYPE,
  type RevocationStatement,
  reviewSchema,
  type Signed,
  type SignedReplay,
  type SignedTests,
  signedStatement,
  type Statement,
  subjectOf,
} from './statement.ts';
