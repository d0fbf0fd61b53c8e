import type { Product } from '@ambit/session';
import type { FastifyInstance } from 'fastify';
import { openPurposes } from './products.ts';
import { productNamed, type Serving } from './serving.ts';

/**
 * What every answer of a product says while an operator has opened it though no owner approved it. To whoever may open the
 * product: to others it is not there, opened or not.
 */
export function addBreakGlass(app: FastifyInstance, serving: Serving): void {
  app.addHook('onSend', async ({ params, subject }, reply) => {
    const { product: name } = (params ?? {}) as { readonly product?: string };
    const product = name === undefined || subject === null ? undefined : productNamed(serving, name);
    const standing = product?.standing?.(Date.now());
    if (product === undefined || subject === null || standing?.kind !== 'opened') return;
    if (openPurposes(product, subject).length > 0) reply.header('ambit-break-glass', `until=${standing.opening.until}`);
  });
}

/** Products that an operator opened. */
export function openedProducts(products: readonly Product[]): readonly Product[] {
  return products.filter(({ standing }) => standing?.(Date.now()).kind === 'opened');
}
