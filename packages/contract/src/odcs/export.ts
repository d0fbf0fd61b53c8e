import { stringify } from 'yaml';
import type { Boundary } from '../boundary.ts';
import { own } from '../difference/walk.ts';
import type { OdcsProperty, OdcsQuality } from './document.ts';
import { qualityTo } from './quality.ts';
import { serversOf } from './servers.ts';
import { slaPropertiesOf } from './service-levels.ts';
import { odcsTypeOf } from './types.ts';

/** Where a table lies in its store, and in what format, as a file says it that was made here. */
export const PATH = 'ambitPath';
export const FORMAT = 'ambitFormat';

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
    servers: serversOf(boundary),
    schema: [...tablesOf(boundary), ...viewsOf(boundary)],
    slaProperties: slaPropertiesOf(boundary),
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

function tablesOf({ tables, quality = {} }: Boundary): readonly object[] {
  return Object.entries(tables).map(([name, table]) => {
    const rules = own(quality, name) ?? {};
    return {
      name,
      logicalType: 'object',
      physicalType: 'table',
      ...described(table.description),
      properties: table.columns.map((column) => ({
        ...propertyOf(column, table.partitions ?? []),
        ...ruled(qualityTo(rules, column.name)),
      })),
      ...ruled(qualityTo(rules, null)),
      // A physical name would be the name of a table: this is a place.
      customProperties: [
        { property: PATH, value: table.path },
        { property: FORMAT, value: table.format.type },
      ],
    };
  });
}

function viewsOf({ views }: Boundary): readonly object[] {
  return Object.entries(views).map(([name, view]) => ({
    name,
    logicalType: 'object',
    physicalType: 'view',
    ...described(view.description),
    properties: view.columns.map((column) => propertyOf({ ...column, description: '', tags: [] }, [])),
  }));
}

function ruled(quality: readonly OdcsQuality[] | null): { readonly quality?: readonly OdcsQuality[] } {
  return quality === null ? {} : { quality };
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
