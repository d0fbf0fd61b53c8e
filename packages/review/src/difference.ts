import { type Boundary, type Difference, digest, type Effect } from '@ambit/contract';

/** A boundary and its fingerprint. */
export interface Named {
  readonly boundary: Boundary;
  readonly fingerprint: string;
}

/** Says what differs. `from` is null where there was nothing. */
export type Differ = (from: Named | null, to: Named) => Promise<Difference>;

const RANK: Readonly<Record<Effect, number>> = { narrows: 0, changes: 1, widens: 2 };

/** Whether one effect asks for as much as another, or more. */
export function asStrong(effect: Effect, other: Effect): boolean {
  return RANK[effect] >= RANK[other];
}

/** The stronger of two. */
export function stronger(a: Effect, b: Effect): Effect {
  return asStrong(a, b) ? a : b;
}

/** What a difference does. Two fingerprints are never of the same boundary: where nothing is told to differ, something changes. */
export function effectOf({ effect }: Difference): Effect {
  return effect === 'same' ? 'changes' : effect;
}

/** What reviews name a difference by. */
export function differenceDigest(difference: Difference): string {
  return digest(difference);
}

/** Nobody can tell what differs: that widens. */
export function unknownDifference({ boundary, fingerprint }: Named): Difference {
  const { product, environment } = boundary;
  const line = {
    path: '',
    subject: `product \`${product.name}\``,
    before: null,
    after: product.version,
    effect: 'widens' as const,
    reason: 'nobody can tell what differs: what was there before cannot be read',
  };
  return {
    format: 'ambit/difference/v1',
    product: product.name,
    before: null,
    after: { fingerprint, version: product.version, environment },
    effect: 'widens',
    lines: [line],
  };
}
