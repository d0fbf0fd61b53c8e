/** The one path: resolve, authorize, record, open, run, record, close. */
export { DriftWatch, type Drifts, driftText, eitherCloses, inspect, noDrifts, type TableState } from './drift.ts';
export { approvalOf, isServed } from './approval.ts';
export { type BoundEnvironment, loadEnvironment, unusedBindings } from './environment.ts';
export { ContractsInvalid, Refused, type RefusalCode, SessionFailed } from './errors.ts';
export { backedEvidence, loadEvidenceProduct, servedSettings } from './evidence/product.ts';
export { type EvidenceTables, openEvidenceTables, tablesFolder } from './evidence/tables.ts';
export { filesBeneath, findContracts, findKind } from './find.ts';
export { grantOf, isEnded, productUnknown } from './grant.ts';
export {
  type Backing,
  type Checker,
  EVIDENCE,
  evidenceContract,
  loadProducts,
  type Product,
  type Ready,
  subjectOn,
} from './load.ts';
export { breakGlassOf, isReviewed } from './operators.ts';
export type { GivenValue } from './parameters.ts';
export { type Answer, Path, type Replay, type Request } from './path.ts';
export { endpointsOf } from './stores.ts';
export { reveal, type Revealed, type SealState, whySealed } from './sealing/reveal.ts';
export { type Ended, type InputChange, replay, type Replayed, ReplayImpossible, type ReplayVerdict } from './replay.ts';
export { type Checked, checkQuality, qualityText, wouldClose } from './quality/check.ts';
export { Issuer } from './credentials/issuer.ts';
export { QualityWatch } from './quality/watch.ts';
export { type Offer, productOf, productThen, type ReloadRefused, Served, type Use } from './served.ts';
