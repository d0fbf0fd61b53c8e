import type { Json } from '@ambit/evidence';
import { columnName } from '../report.ts';

// From `lineage` of an engine's report (`Lineage` of the engine's protocol) to the content of the columnLineage facet. All that
// knows its shape is here.

interface Input {
  readonly table: string;
  readonly column: string;
  /** Whether a mask lay on it. */
  readonly masked: boolean;
  /** All ways from it to the result; none where the lineage was too long to follow. */
  readonly how: readonly string[];
}

interface Lineage {
  readonly columns: readonly { readonly name: string; readonly inputs: readonly Input[] }[];
  /** What decided which rows there are, and in which order. */
  readonly dataset: readonly Input[];
}

const DIRECT = ['identity', 'transformation', 'aggregation'];

/** Content of the facet; null where the report has no lineage, or one that is not known here. */
export function columnLineage(lineage: Json, namespace: string): { readonly [name: string]: Json } | null {
  if (!isLineage(lineage)) return null;
  const field = ({ table, column, masked, how }: Input) => ({
    namespace,
    name: table,
    field: column,
    transformations: transformations(how, masked),
  });
  const fields = new Map<string, Json>();
  for (const [at, { name, inputs }] of lineage.columns.entries()) {
    const told = columnName(name, at);
    // Names of a result need not differ, names of fields do.
    fields.set(fields.has(told) ? `column_${at + 1}` : told, { inputFields: inputs.map(field) });
  }
  return { fields: Object.fromEntries(fields), dataset: lineage.dataset.map(field) };
}

function transformations(how: readonly string[], masking: boolean): readonly Json[] {
  if (how.length === 0) return [{ type: 'INDIRECT', description: 'the lineage was too long to follow', masking }];
  return how.map((way) => ({
    type: DIRECT.includes(way) ? 'DIRECT' : 'INDIRECT',
    subtype: way.toUpperCase(),
    masking,
  }));
}

function isLineage(value: unknown): value is Lineage {
  const { columns, dataset } = (value ?? {}) as { columns?: unknown; dataset?: unknown };
  const inputs = (list: unknown): boolean => Array.isArray(list) && list.every(isInput);
  const outputs = (column: { name?: unknown; inputs?: unknown } | null): boolean =>
    typeof column?.name === 'string' && inputs(column.inputs);
  return Array.isArray(columns) && columns.every(outputs) && inputs(dataset);
}

function isInput(value: unknown): boolean {
  const { table, column, how } = (value ?? {}) as { table?: unknown; column?: unknown; how?: unknown };
  const ways = Array.isArray(how) && how.every((way) => typeof way === 'string');
  return typeof table === 'string' && typeof column === 'string' && ways;
}
