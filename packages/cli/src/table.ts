import { type Alignment, padded, printable, widthOf } from './display.ts';

/** A column of a result, as the server describes it. */
export interface TableColumn {
  readonly name: string;
  /** Type of the contract; numbers are aligned to the right. */
  readonly type: string;
}

const numeric = /^(?:tinyint|smallint|int|bigint|real|double|decimal\b.*|u?int\d+|float\d+)$/i;

/** A result as aligned columns under their names. */
export function table(columns: readonly TableColumn[], rows: readonly (readonly unknown[])[]): string {
  const header = columns.map((column) => printable(column.name));
  const cells = rows.map((row) => columns.map((_, index) => cellText(row[index])));
  return alignedTable(
    header,
    cells,
    columns.map(({ type }) => (numeric.test(type) ? 'right' : 'left')),
  );
}

/** Texts as aligned columns under a header and a rule. Every line ends with a line end, none with a space. */
export function alignedTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  alignments: readonly Alignment[],
): string {
  const widths = header.map((name) => widthOf(name));
  for (const row of rows) {
    row.forEach((cell, index) => {
      widths[index] = Math.max(widths[index] ?? 0, widthOf(cell));
    });
  }
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, index) => padded(cell, widths[index] ?? 0, alignments[index] ?? 'left'))
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '-'.repeat(width)).join('  ');
  return [line(header), rule, ...rows.map(line)].map((text) => `${text}\n`).join('');
}

/** A value as a cell. NULL is not the text `NULL`, which is quoted. */
function cellText(value: unknown): string {
  if (value === null || value === undefined) return 'NULL';
  if (typeof value === 'string') return value === 'NULL' ? '"NULL"' : printable(value);
  return printable(JSON.stringify(value));
}
