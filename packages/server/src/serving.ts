import type { Engine } from '@ambit/engine';
import type { EvidenceLog } from '@ambit/evidence';
import { type Path, type Product, productOf, type Served } from '@ambit/session';
import type { KeyRing } from './keys.ts';
import type { Limits } from './limits.ts';
import type { TokenVerifier } from './tokens.ts';

/** What routes are made of. Products, engine and issuers are those of the moment: a reload puts others in their place. */
export interface Serving {
  readonly served: Served;
  readonly products: readonly Product[];
  readonly engine: Engine;
  readonly evidence: EvidenceLog;
  readonly path: Path;
  readonly keys: KeyRing;
  tokens: TokenVerifier;
  readonly limits: Limits;
}

/** The product of a name. */
export function productNamed(serving: Pick<Serving, 'products'>, name: string): Product | undefined {
  return productOf(serving, name);
}
