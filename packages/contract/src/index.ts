/** YAML to contract to boundary: schema, canonical JSON, fingerprint. No I/O but reading files. */
export type {
  Boundary,
  BoundaryCatalog,
  BoundaryColumn,
  BoundaryFormat,
  BoundaryLimits,
  BoundaryMask,
  BoundaryParameter,
  BoundaryQuery,
  BoundaryRowFilter,
  BoundarySetting,
  BoundaryStore,
  BoundaryTable,
  BoundaryView,
  ClaimValue,
  ProductIdentity,
  Reads,
  Scope,
} from './boundary.ts';
export { readBoundary } from './boundary-file.ts';
export { canonicalize, digest, fingerprint } from './canonical.ts';
export { boundaryOf, type CheckReport, type CheckRequest, type Prepared, prepare, reportProblems } from './check.ts';
export { difference } from './difference/difference.ts';
export {
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
export { textualImplication } from './difference/textual.ts';
export { type Document, readDocument } from './document.ts';
export type { EngineFacts } from './draft.ts';
export { formatProblem, inOrder, nearest, placeOf, type Problem } from './problem.ts';
export { Contract, emitSchemas, Environment } from './schema.ts';
export { isTextForNumber } from './types.ts';
export { durationMs, sizeBytes } from './units.ts';
