import type { Boundary } from '../boundary.ts';

/**
 * What a product's first boundary is compared with: the same product, in which there is nothing. What always is
 * something stays as it is: who owns it, its limits, and settings that nobody set.
 */
export function nothing(after: Boundary): Boundary {
  const set = Object.entries(after.settings).filter(
    ([, { origin }]) => origin !== 'contract' && origin !== 'environment',
  );
  const { credentials: _c, issuers: _i, quality: _q, serviceLevels: _s, ...always } = after;
  return {
    ...always,
    purposes: {},
    claims: {},
    anonymous: null,
    stores: {},
    catalogs: {},
    tables: {},
    views: {},
    functions: [],
    settings: Object.fromEntries(set),
    rowFilters: {},
    masks: {},
    queries: {},
    policies: {},
  };
}
