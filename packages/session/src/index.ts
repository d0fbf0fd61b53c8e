/** The one path: resolve, authorize, record, open, run, record, close. */
export { Refused, type RefusalCode, SessionFailed } from './errors.ts';
export { grantOf, productUnknown } from './grant.ts';
export {
  type BoundEnvironment,
  type Checker,
  ContractsInvalid,
  findContracts,
  loadEnvironment,
  loadProducts,
  type Product,
} from './load.ts';
export type { GivenValue } from './parameters.ts';
export { type Answer, Path, type Request } from './path.ts';
