import { alignedTable } from '../table.ts';
import { bytesText, microsText, printable } from '../display.ts';
import type { Operator } from './evidence.ts';
import { section } from './layout.ts';

/** The operators of the whole plan as a tree, those inside barriers too, with what each did. For the owner's people alone. */
export function planLines(operators: readonly Operator[] | undefined): readonly string[] {
  if (operators === undefined || operators.length === 0) return [];
  const rows = operators.map(({ operator, depth, inside, metrics }) => [
    `${'  '.repeat(depth)}${printable(operator)}`,
    inside === null ? '' : printable(inside),
    metrics['output_rows'] === undefined ? '' : metrics['output_rows'].toLocaleString('en-US'),
    metrics['elapsed_compute'] === undefined ? '' : microsText(Math.round(metrics['elapsed_compute'] / 1_000)),
    othersText(metrics),
  ]);
  const text = alignedTable(['operator', 'inside', 'rows', 'time', ''], rows, [
    'left',
    'left',
    'right',
    'right',
    'left',
  ]);
  return section('Plan', text.trimEnd().split('\n'));
}

/** Metrics worth a word where they are not nothing. `--json` has all of them. */
function othersText(metrics: Operator['metrics']): string {
  const bytes = (name: string, word: string) => (metrics[name] ? [`${bytesText(metrics[name])} ${word}`] : []);
  const pruned = Object.entries(metrics).filter(([name, value]) => name.includes('pruned') && value > 0);
  return [
    ...bytes('bytes_scanned', 'scanned'),
    ...bytes('spilled_bytes', 'spilled'),
    ...pruned.map(([name, value]) => `${printable(name)} ${value.toLocaleString('en-US')}`),
  ].join(', ');
}
