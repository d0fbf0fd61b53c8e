import { stringify } from 'yaml';
import type { Boundary, BoundaryStore } from '../boundary.ts';
import type { OdcsProperty } from './document.ts';
import { odcsTypeOf } from './types.ts';

/** The version of the standard that is written. */
const VERSION = 'v3.1.0';

/** A boundary as an ODCS file: what both have, and what only Ambit enforces by its name under `customProperties`. */
export function toOdcs(boundary: Boundary, fingerprint: string): string {
  // Anchors would be right, and surprise who reads it.
  return stringify(contractOf(boundary, fingerprint), { aliasDuplicateObjects: false });
}

function contractOf(boundary: Boundary, fingerprint: string): object {
  const { name, version, tenant, description, owner } = boundary.product;
  return {
    apiVersion: VERSION,
    kind: 'DataContract',
    id: `urn:ambit:${tenant}:${name}`,
    name,
    version,
    status: 'active',
    tenant,
    dataProduct: name,
    description: {
      ...(description === '' ? {} : { purpose: description }),
      usage: Object.entries(boundary.purposes)
        .map(([purpose, told]) => `${purpose}: ${told.description}`)
        .join('\n'),
    },
    team: { name: owner.team },
    servers: Object.entries(boundary.stores).map(([called, store]) => ({
      server: `${boundary.environment}_${called}`,
      environment: boundary.environment,
      ...placeOf(store),
      format: formatsOf(boundary, called),
    })),
    schema: [
      ...Object.entries(boundary.tables).map(([table, declared]) => ({
        name: table,
        physicalName: declared.path,
        logicalType: 'object',
        physicalType: 'table',
        ...described(declared.description),
        properties: declared.columns.map((column) => propertyOf(column, declared.partitions ?? [])),
      })),
      ...Object.entries(boundary.views).map(([view, declared]) => ({
        name: view,
        logicalType: 'object',
        physicalType: 'view',
        ...described(declared.description),
        properties: declared.columns.map((column) => propertyOf({ ...column, description: '', tags: [] }, [])),
      })),
    ],
    slaProperties: [
      { property: 'timeOut', value: boundary.limits.timeoutMs, unit: 'ms', description: 'A query is ended' },
    ],
    customProperties: [
      { property: 'ambitFingerprint', value: fingerprint },
      { property: 'ambitPurposes', value: Object.keys(boundary.purposes) },
      {
        property: 'ambitRowFilters',
        value: Object.entries(boundary.rowFilters).map(([id, { table, where }]) => ({ id, table, where })),
      },
      {
        property: 'ambitMasks',
        value: Object.entries(boundary.masks).map(([id, mask]) => ({ id, with: mask.with, columns: mask.columns })),
      },
    ],
  };
}

function propertyOf(
  {
    name,
    type,
    nullable,
    description,
    tags,
  }: Pick<Boundary['tables'][string]['columns'][number], 'name' | 'type' | 'nullable' | 'description' | 'tags'>,
  partitions: readonly string[],
): OdcsProperty {
  const position = partitions.indexOf(name) + 1;
  return {
    name,
    ...odcsTypeOf(type),
    required: !nullable,
    ...described(description),
    ...(tags.length === 0 ? {} : { tags }),
    ...(position === 0 ? {} : { partitioned: true, partitionKeyPosition: position }),
  };
}

function described(description: string): { readonly description?: string } {
  return description === '' ? {} : { description };
}

function formatsOf({ catalogs }: Boundary, store: string): string {
  const formats = Object.values(catalogs).filter((catalog) => catalog.store === store);
  return [...new Set(formats.map(({ type }) => type))].toSorted().join(', ') || 'none';
}

function placeOf(store: BoundaryStore): Readonly<Record<string, string>> {
  if (store.kind === 'local') return { type: 'local', path: store.root };
  return { type: 's3', location: store.url, ...(store.endpoint === null ? {} : { endpointUrl: store.endpoint }) };
}
