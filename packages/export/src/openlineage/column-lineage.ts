import type { Json } from '@ambit/evidence';
import { columnName } from '../report.ts';

// From `lineage` of an engine's report to the content of the columnLineage facet. All that knows its shape is here.

interface Column {
  readonly table: string;
  readonly column: string;
}

/** Of which columns a result's column is made. */
interface Direct extends Column {
  readonly kind: 'identity' | 'transformation' | 'aggregation';
  /** Whether a mask lay on it. */
  readonly masked: boolean;
}

/** What decided which rows there are, and in which order. */
interface Indirect extends Column {
  readonly kind: 'filter' | 'join' | 'group_by' | 'sort' | 'window' | 'conditional';
}

interface Lineage {
  readonly columns: readonly { readonly name: string; readonly inputs: readonly Direct[] }[];
  readonly indirect: readonly Indirect[];
}

/** Content of the facet; null where the report has no lineage, or one that is not known here. */
export function columnLineage(lineage: Json, namespace: string): { readonly [name: string]: Json } | null {
  if (!isLineage(lineage)) return null;
  const field = ({ table, column }: Column, transformations: readonly Json[]) => ({
    namespace,
    name: table,
    field: column,
    transformations,
  });
  const fields = lineage.columns.map(({ name, inputs }, at) => [
    columnName(name, at),
    {
      inputFields: grouped(inputs).map(([column, uses]) =>
        field(
          column,
          uses.map(({ kind, masked }) => ({ type: 'DIRECT', subtype: kind.toUpperCase(), masking: masked })),
        ),
      ),
    },
  ]);
  const dataset = grouped(lineage.indirect).map(([column, uses]) =>
    field(
      column,
      uses.map(({ kind }) => ({ type: 'INDIRECT', subtype: kind.toUpperCase(), masking: false })),
    ),
  );
  return { fields: Object.fromEntries(fields) as Json, dataset };
}

/** Uses of each column, in the order in which columns come first. */
function grouped<Use extends Column>(uses: readonly Use[]): readonly (readonly [Column, readonly Use[]])[] {
  const found = new Map<string, Use[]>();
  for (const use of uses) {
    const key = JSON.stringify([use.table, use.column]);
    found.set(key, [...(found.get(key) ?? []), use]);
  }
  return [...found.values()].map((same) => [same[0] as Column, same] as const);
}

function isLineage(value: unknown): value is Lineage {
  const { columns, indirect } = (value ?? {}) as { columns?: unknown; indirect?: unknown };
  const uses = (list: unknown): boolean => Array.isArray(list) && list.every(isUse);
  const outputs = (column: { name?: unknown; inputs?: unknown } | null): boolean =>
    typeof column?.name === 'string' && uses(column.inputs);
  return Array.isArray(columns) && columns.every(outputs) && uses(indirect);
}

function isUse(value: unknown): boolean {
  const { table, column, kind } = (value ?? {}) as { table?: unknown; column?: unknown; kind?: unknown };
  return typeof table === 'string' && typeof column === 'string' && typeof kind === 'string';
}
