import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { compilePolicies } from '../src/index.ts';
import { column, mask, product, query, rowFilter, table, view } from './product.ts';

interface Contract {
  readonly name: string;
  readonly tenant: string;
  readonly purposes: Readonly<Record<string, string>>;
  readonly claims?: Readonly<Record<string, { readonly type: string }>>;
  readonly tables: Readonly<
    Record<string, { readonly columns: Readonly<Record<string, { readonly tags?: string[] }>> }>
  >;
  readonly policies: {
    readonly cedar: readonly string[];
    readonly rows: Readonly<Record<string, { readonly table: string }>>;
    readonly masks: Readonly<
      Record<string, { readonly tag?: string; readonly table?: string; readonly column?: string }>
    >;
  };
}

/** The contract package checks that it is one. */
function read(file: URL): Contract {
  const contract: Contract = parse(readFileSync(file, 'utf8'));
  return contract;
}

const folder = new URL('../../../examples/flights/', import.meta.url);
export const contract = read(new URL('flights.yaml', folder));

/** The example as far as policies see it: what its SQL reads, only the engine can tell. */
export const boundary = product(
  Object.fromEntries(contract.policies.cedar.map((file) => [file, readFileSync(new URL(file, folder), 'utf8')])),
  {
    product: {
      name: contract.name,
      version: '1.0.0',
      tenant: contract.tenant,
      description: '',
      owner: { team: '', reviewers: [] },
    },
    purposes: Object.fromEntries(
      Object.entries(contract.purposes).map(([name, description]) => [name, { description }]),
    ),
    claims: Object.fromEntries(
      Object.entries(contract.claims ?? {}).map(([name, { type }]) => [name, { type, description: '' }]),
    ),
    tables: Object.fromEntries(
      Object.entries(contract.tables).map(([name, { columns }]) => [
        name,
        table(...Object.entries(columns).map(([one, { tags }]) => column(one, tags))),
      ]),
    ),
    rowFilters: Object.fromEntries(
      Object.entries(contract.policies.rows).map(([id, { table: on }]) => [id, rowFilter(on)]),
    ),
    masks: Object.fromEntries(
      Object.entries(contract.policies.masks).map(([id, one]) => [id, mask(maskedBy(one), one.tag)]),
    ),
    views: { distances: view({ tables: { flights: ['distance'] } }) },
    queries: { far: query({ views: ['distances'] }) },
  },
);

function maskedBy({
  tag,
  table: on,
  column: of,
}: Contract['policies']['masks'][string]): { table: string; column: string }[] {
  if (tag === undefined) return [{ table: on ?? '', column: of ?? '' }];
  return Object.entries(contract.tables).flatMap(([name, { columns }]) =>
    Object.entries(columns).flatMap(([one, { tags }]) =>
      tags?.includes(tag) === true ? [{ table: name, column: one }] : [],
    ),
  );
}

export const compiled = compilePolicies(boundary);
