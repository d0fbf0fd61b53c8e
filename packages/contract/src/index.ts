/** YAML to contract to boundary: schema, canonical JSON, fingerprint. No I/O but reading files. */
export type {
  Boundary,
  BoundaryBucket,
  BoundaryColumn,
  BoundaryParameter,
  BoundaryTable,
  ClaimValue,
  ProductIdentity,
  Reads,
  Scope,
  Signer,
} from './boundary.ts';
export { readBoundary } from './boundary-file.ts';
export { breaks } from './breaking.ts';
export type { BoundaryQuality, BoundaryRule, BoundaryServiceLevel, Measure } from './quality/boundary.ts';
export { canonicalize, digest, fingerprint } from './canonical.ts';
export { boundaryOf, type CheckReport, type CheckRequest, prepare, reportProblems } from './check.ts';
export { sunsetOf } from './deprecation.ts';
export { difference } from './difference/difference.ts';
export {
  type Around,
  changes,
  type Difference,
  type Effect,
  type Implication,
  type Implied,
  type Line,
  type Named,
  type NamingPolicy,
  narrows,
  type Oracle,
  type PolicyReader,
  pointer,
  type Said,
  type Side,
  widens,
} from './difference/line.ts';
export { levelText, ruleText } from './difference/quality.ts';
export { textualImplication } from './difference/textual.ts';
export { readKeys } from './key-text.ts';
export { signersOf } from './owner.ts';
export { keyBytes, keyId, keyText, openKey, type PublicKey } from './public-key.ts';
export { SshReader, sshString } from './ssh-wire.ts';
export { type Document, type Parsed, parseYaml, type Path, readDocument } from './document.ts';
export type { EngineFacts } from './draft.ts';
export { type Layer, type Layered, layered, type Place } from './layers.ts';
export { notesOf } from './notes.ts';
export { objectOf, type TakenObject } from './odcs/columns.ts';
export { OdcsContract } from './odcs/document.ts';
export { toOdcs } from './odcs/export.ts';
export { fromOdcs } from './odcs/import.ts';
export { PolicyTests } from './policy-tests-schema.ts';
export { formatProblem, inOrder, nearest, placeOf, type Problem } from './problem.ts';
export { type Columns, Contract, type DeclaredContract, Environment } from './schema.ts';
export { emitSchemas } from './layer-schema.ts';
export { bucketOf } from './stores.ts';
export { type AgeMax, ageMaxOf } from './quality/service-levels.ts';
export type { SayOfRule, TakenRules } from './quality/declared.ts';
export { judgeRules } from './quality/resolved.ts';
export { isTextForNumber } from './types.ts';
export { durationMs, sizeBytes } from './units.ts';
export { compareVersions, lineOf, meantBy, nameAndVersion } from './versions.ts';
