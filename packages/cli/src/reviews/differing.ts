import { type Difference, difference, type Implication } from '@ambit/contract';
import { withPolicies } from '@ambit/policy';
import type { Differ } from '@ambit/review';

import { limits } from '../limits.ts';

/** By fingerprints, and so the same whoever asks: each step of a chain is looked at again whenever one of its files changes. */
const kept = new Map<string, Promise<Difference>>();

/** Says what differs between two boundaries, as owners are shown it and reviews are judged by. */
export function differWith(implication: Implication): Differ {
  const oracle = withPolicies(implication);
  return (from, to) => {
    const key = `${from?.fingerprint} ${to.fingerprint}`;
    const known = kept.get(key);
    if (known !== undefined) return known;
    const found = difference(from?.boundary ?? null, to.boundary, oracle);
    kept.set(key, found);
    const [oldest = ''] = kept.keys();
    if (kept.size > limits.differencesKeptMax) kept.delete(oldest);
    // Whoever decides may be away for a moment.
    found.catch(() => kept.delete(key));
    return found;
  };
}
