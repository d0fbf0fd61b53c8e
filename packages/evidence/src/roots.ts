import { type Catalog, reviewOf, reviewsIn } from './catalog.ts';
import type { EvidenceRecord, ProductRoot } from './record.ts';
import { findDocument } from './sessions.ts';
import type { Tail } from './tail.ts';

/** What a record says of where the reviews of products begin. */
export function rootsIn(record: EvidenceRecord): readonly ProductRoot[] {
  if (record.type === 'evidence.pruned') return record.roots ?? [];
  if (record.type !== 'review.applied' || record.root === null) return [];
  const { product, environment, root } = record;
  return [{ product, environment, root }];
}

/** The first boundary that was served of a product, as the log has it; null: it has none. Looks once: what comes later is told. */
export async function rootOf(
  tail: Tail,
  catalog: Catalog,
  product: string,
  environment: string,
): Promise<string | null> {
  const key = reviewOf(product, environment);
  if (!tail.roots.has(key) && !tail.rootless.has(key)) {
    const found = await findDocument<EvidenceRecord>(tail, catalog, key);
    const said = (found === null ? [] : rootsIn(found)).find((one) => reviewOf(one.product, one.environment) === key);
    // One that came meanwhile was the first.
    if (said === undefined) tail.rootless.add(key);
    else if (!tail.roots.has(key)) tail.roots.set(key, said.root);
  }
  return tail.roots.get(key) ?? null;
}

/** What segments say of where reviews begin, the first of each product. */
export async function rootsOf(catalog: Catalog, segments: readonly number[]): Promise<readonly ProductRoot[]> {
  const roots = new Map<string, ProductRoot>();
  for (const segment of segments) {
    for (const place of reviewsIn(await catalog.load(segment))) {
      for (const root of rootsIn(await catalog.record(segment, place))) {
        const key = reviewOf(root.product, root.environment);
        if (!roots.has(key)) roots.set(key, root);
      }
    }
  }
  return [...roots.values()];
}
