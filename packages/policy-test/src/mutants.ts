import { type Boundary, fingerprint } from '@ambit/contract';
import { compilePolicies, PolicyInvalid, withoutPolicies } from '@ambit/policy';
import type { Product } from '@ambit/session';
import { type Running, runTests } from './run.ts';
import type { PolicyTest } from './suite.ts';

/** A part of a policy that no test would miss. */
export interface Unnoticed {
  readonly what: 'row filter' | 'mask' | 'policy';
  readonly name: string;
}

interface Mutant extends Unnoticed {
  readonly boundary: Boundary;
}

/**
 * Takes each row filter, mask and Cedar policy away in turn, runs the tests without it, and returns those without which
 * every test still passes. To be exercised is not enough: a test that reads a masked column and looks at none of its values
 * exercises the mask.
 */
export async function unnoticed(
  product: Product,
  tests: readonly PolicyTest[],
  running: Running,
): Promise<readonly Unnoticed[]> {
  const found: Unnoticed[] = [];
  for (const { what, name, boundary } of mutantsOf(product.boundary)) {
    const without = mutated(product, boundary);
    // Without it the policies are none: whatever took it away would be told when it is loaded.
    if (without === null) continue;
    const ran = await runTests(without, tests, running, (one) => one.complaints.length > 0);
    if (ran.every(({ complaints }) => complaints.length === 0)) found.push({ what, name });
  }
  return found;
}

function mutated(product: Product, boundary: Boundary): Product | null {
  try {
    return { ...product, boundary, fingerprint: fingerprint(boundary), policies: compilePolicies(boundary) };
  } catch (error) {
    if (error instanceof PolicyInvalid) return null;
    throw error;
  }
}

/** Filters and masks stay, and do nothing: Cedar policies may name them. */
function mutantsOf(boundary: Boundary): readonly Mutant[] {
  const { rowFilters, masks } = boundary;
  const nothing = { claims: [], reads: { tables: {}, views: [], functions: [] } };
  return [
    ...Object.entries(rowFilters).map(([name, filter]) => ({
      what: 'row filter' as const,
      name,
      boundary: { ...boundary, rowFilters: { ...rowFilters, [name]: { ...filter, where: 'true', ...nothing } } },
    })),
    ...Object.entries(masks).map(([name, mask]) => ({
      what: 'mask' as const,
      name,
      boundary: { ...boundary, masks: { ...masks, [name]: { ...mask, with: 'value', claims: [] } } },
    })),
    ...withoutPolicies(boundary).map(({ id, boundary: without }) => ({
      what: 'policy' as const,
      name: id,
      boundary: without,
    })),
  ];
}
