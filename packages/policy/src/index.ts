/** Subject, purpose and boundary to grant: Cedar decides. */
export { authorize, mayReadEvidence, mayReview } from './authorize.ts';
export { compareGrants, type Difference, effectOf, type Granted, type Meaning } from './compare.ts';
export { type CompiledPolicies, compilePolicies, PolicyInvalid, validatePolicies } from './compile.ts';
export { withPolicies } from './difference/reader.ts';
export type {
  Authorization,
  Decision,
  Governor,
  Grant,
  GrantedColumn,
  GrantedTable,
  Refusal,
  Subject,
} from './grant.ts';
export { policyIds, withoutPolicies } from './policies.ts';
export { cedarSchema } from './schema.ts';
