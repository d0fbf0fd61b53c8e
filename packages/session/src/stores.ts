import { readFile } from 'node:fs/promises';
import { isAbsolute, resolve } from 'node:path';
import { type Boundary, type BoundaryBucket, bucketOf, type Contract, type Problem } from '@ambit/contract';
import type { Endpoint, SessionTemplate } from '@ambit/engine';
import type { BoundEnvironment } from './environment.ts';
import type { Product } from './load.ts';

// Where the bytes of a product are on this machine and beyond it.

type Store = SessionTemplate['stores'][string];

/** Absolute roots of the stores that are folders. */
export function rootsOf(contract: Contract, folder: string, environment: BoundEnvironment): Record<string, string> {
  return Object.fromEntries(
    Object.entries(contract.stores).flatMap(([name, declared]) => {
      const bound = environment.value.stores?.[name];
      const { root, url } = bound ?? declared;
      if (root === undefined || url !== undefined) return [];
      return [[name, isAbsolute(root) ? root : resolve(bound === undefined ? folder : environment.folder, root)]];
    }),
  );
}

/** Certificates that vouch for servers of stores, by store, and the files that they come from. */
export async function certificatesOf(contract: Contract, { value, folder, problem }: BoundEnvironment) {
  const certificates: Record<string, string> = {};
  const files: string[] = [];
  const problems: Problem[] = [];
  for (const [name, { certificates: file }] of Object.entries(value.stores ?? {})) {
    if (file === undefined || !Object.hasOwn(contract.stores, name)) continue;
    const at = resolve(folder, file);
    files.push(at);
    const text = await readFile(at, 'utf8').catch(() => '');
    if (text.includes('-----BEGIN CERTIFICATE-----')) certificates[name] = text;
    else
      problems.push(problem(['stores', name, 'certificates'], `\`${file}\` holds no certificate`, 'it is a PEM file'));
  }
  return { certificates, files, problems };
}

/** Stores as the engine is told of them. */
export function storeOf({ boundary, roots }: Pick<Product, 'boundary' | 'roots'>, name: string): Store {
  const store = boundary.stores[name];
  if (store?.kind !== 's3') return { kind: 'local', root: roots[name] ?? '' };
  const { credential } = store;
  return { kind: 's3', ...placeOf(store), credential };
}

function placeOf({ url, endpoint, region }: BoundaryBucket) {
  const { bucket, prefix } = bucketOf(url);
  if (endpoint !== null) return { bucket, prefix, region, endpoint: new URL(endpoint).origin, virtualHosted: false };
  const host = `s3.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
  // A certificate for `*.s3…` vouches for no bucket with a dot in it.
  const virtualHosted = !bucket.includes('.');
  return {
    bucket,
    prefix,
    region,
    endpoint: virtualHosted ? `https://${bucket}.${host}` : `https://${host}`,
    virtualHosted,
  };
}

/** Servers that the workers of these products may talk to, each once. */
export function endpointsOf(products: readonly Pick<Product, 'boundary' | 'certificates'>[]): readonly Endpoint[] {
  const found = new Map<string, Set<string>>();
  for (const { boundary, certificates } of products) {
    for (const [name, store] of Object.entries(boundary.stores)) {
      if (store.kind !== 's3') continue;
      const { endpoint } = placeOf(store);
      const vouching = found.get(endpoint) ?? new Set<string>();
      const own = certificates[name];
      if (own !== undefined) vouching.add(own);
      found.set(endpoint, vouching);
    }
  }
  return [...found]
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([origin, own]) => ({ origin, certificates: own.size === 0 ? null : [...own].toSorted().join('\n') }));
}

/** The store that a table is read from. */
export function storeNameOf(boundary: Boundary, table: string): string {
  return boundary.catalogs[boundary.tables[table]?.catalog ?? '']?.store ?? '';
}
