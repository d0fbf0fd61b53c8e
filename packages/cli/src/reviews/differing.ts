import { difference, type Implication } from '@ambit/contract';
import { withPolicies } from '@ambit/policy';
import type { Differ } from '@ambit/review';

/** Says what differs between two boundaries, as owners are shown it and reviews are judged by. */
export function differWith(implication: Implication): Differ {
  const oracle = withPolicies(implication);
  return (from, to) => difference(from?.boundary ?? null, to.boundary, oracle);
}
