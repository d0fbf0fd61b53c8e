import type { Standing } from '@ambit/review';
import type { Product } from '@ambit/session';
import type { FastifyInstance } from 'fastify';
import { productNamed, type Serving } from './serving.ts';

/** What every answer of a product says while an operator has opened it though no owner approved it. */
export function addBreakGlass(app: FastifyInstance, serving: Serving): void {
  app.addHook('onSend', async (request, reply) => {
    const { product: name } = (request.params ?? {}) as { readonly product?: string };
    const product = name === undefined ? undefined : productNamed(serving, name);
    const standing = product?.standing?.(Date.now());
    if (standing?.kind === 'opened') reply.header('ambit-break-glass', `until=${standing.opening.until}`);
  });
}

/** Products that an operator opened. */
export function openedProducts(products: readonly Product[]): readonly Product[] {
  return products.filter(({ standing }) => standing?.(Date.now()).kind === 'opened');
}

const STATES = { approved: 'approved', opened: 'break-glass', refused: 'refused' } as const;

/** Whether owners approved a product, for whoever may open it. */
export function reviewOf({ standing }: Product): { readonly review?: object } {
  const now = standing?.(Date.now());
  return now === undefined ? {} : { review: { state: STATES[now.kind], until: untilOf(now) } };
}

function untilOf(standing: Standing): string | null {
  return standing.kind === 'refused' ? null : new Date(standing.until).toISOString();
}
