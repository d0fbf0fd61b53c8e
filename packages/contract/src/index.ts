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
export { canonicalize, digest, fingerprint } from './canonical.ts';
export { boundaryOf, type CheckReport, type CheckRequest, type Prepared, prepare, reportProblems } from './check.ts';
export { type Document, readDocument } from './document.ts';
export type { EngineFacts } from './draft.ts';
export { PolicyTests } from './policy-tests-schema.ts';
export { formatProblem, inOrder, nearest, placeOf, type Problem } from './problem.ts';
export { columnsOf } from './odcs/columns.ts';
export { OdcsContract } from './odcs/document.ts';
export { toOdcs } from './odcs/export.ts';
export { fromOdcs } from './odcs/import.ts';
export { type Columns, Contract, type DeclaredContract, emitSchemas, Environment } from './schema.ts';
export { isTextForNumber } from './types.ts';
export { durationMs, sizeBytes } from './units.ts';
