import type { Standing } from '@ambit/review';
import type { Product } from '@ambit/session';

const STATES = { approved: 'approved', opened: 'break-glass', refused: 'refused' } as const;

/** Whether owners approved a product, for whoever may open it. */
export function reviewOf({ standing }: Product): { readonly review?: object } {
  const now = standing?.(Date.now());
  return now === undefined ? {} : { review: { state: STATES[now.kind], until: untilOf(now) } };
}

function untilOf(standing: Standing): string | null {
  return standing.kind === 'refused' ? null : new Date(standing.until).toISOString();
}
