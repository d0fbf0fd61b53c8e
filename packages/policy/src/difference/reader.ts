import type { Implication, Oracle, PolicyReader } from '@ambit/contract';
import { policyLines } from './lines.ts';
import { exempting, naming } from './naming.ts';

/** What a comparison of boundaries asks of Cedar policies. */
const policyReader: PolicyReader = { lines: policyLines, naming, exempting };

/** All that a comparison of boundaries asks: Cedar's part is here, row filters are decided by somebody else. */
export function withPolicies(implication: Implication): Oracle {
  return {
    implies: (around, stronger, weaker) => implication.implies(around, stronger, weaker),
    coarsens: (around, column, before, after) => implication.coarsens(around, column, before, after),
    policies: policyReader,
  };
}
