import type { Engine } from '@ambit/engine';
import type { EvidenceLog } from '@ambit/evidence';
import type { Drifts, Path, Product } from '@ambit/session';
import type { KeyRing } from './keys.ts';
import type { Limits } from './limits.ts';
import type { TokenVerifier } from './tokens.ts';

/** What routes are made of. */
export interface Serving {
  readonly products: readonly Product[];
  readonly engine: Engine;
  readonly evidence: EvidenceLog;
  readonly drifts: Drifts;
  readonly path: Path;
  readonly keys: KeyRing;
  readonly tokens: TokenVerifier;
  readonly limits: Limits;
}

/** The product of a name. */
export function productNamed({ products }: Pick<Serving, 'products'>, name: string): Product | undefined {
  return products.find(({ boundary }) => boundary.product.name === name);
}
