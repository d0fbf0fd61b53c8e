import { printable } from '../display.ts';
import type { Lineage, LineageInput } from './evidence.ts';
import { facts, listed, section } from './layout.ts';

/** From which columns each column of the result comes, and how. Records of before it was kept have none. */
export function lineageLines(lineage: Lineage | undefined): readonly string[] {
  if (lineage === undefined) return [];
  const { columns, dataset, widened } = lineage;
  return section('Lineage', [
    ...facts([
      ...columns.map(
        ({ name, inputs }) => [printable(name), inputs.length === 0 ? 'no column' : inputsText(inputs)] as const,
      ),
      ...(dataset.length === 0 ? [] : [['(all rows)', inputsText(dataset)] as const]),
    ]),
    ...(widened ? ['(too long to follow: every column of the result may come from all of these)'] : []),
  ]);
}

function inputsText(inputs: readonly LineageInput[]): string {
  return listed(
    inputs.map(({ table, column, masked, how }) => {
      const notes = [...how.map((one) => one.replace('_', ' ')), ...(masked ? ['masked'] : [])];
      return `${table}.${column}${notes.length === 0 ? '' : ` (${notes.join(', ')})`}`;
    }),
    80,
  );
}
