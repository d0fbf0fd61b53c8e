/** Something wrong in a file, and where. */
export interface Problem {
  /** As it was given. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in characters. */
  readonly column: number;
  /** Lower case, no final stop, the user's words in backticks. */
  readonly message: string;
  /** What to do. */
  readonly hint: string | null;
}

/** `flights.yaml:14:9  unknown column ...`, with the hint on a line of its own. */
export function formatProblem(problem: Problem): string {
  const place = `${problem.file}:${problem.line}:${problem.column}  ${problem.message}`;
  return problem.hint === null ? place : `${place}\n  hint: ${problem.hint}`;
}

/** Line and column of an offset in UTF-16 units; both from 1, the column in characters. */
export function placeOf(text: string, offset: number): { readonly line: number; readonly column: number } {
  const before = text.slice(0, offset);
  const line = before.split('\n').length;
  return { line, column: Array.from(before.slice(before.lastIndexOf('\n') + 1)).length + 1 };
}

/** Offset in UTF-16 units of a line and a column of a text. The end, if there is none such. */
export function offsetOf(text: string, line: number, column: number): number {
  const lines = text.split('\n');
  const before = lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0);
  const inLine = Array.from(lines[line - 1] ?? '')
    .slice(0, column - 1)
    .join('').length;
  return Math.min(text.length, before + inLine);
}

/** Problems as somebody reads a file. */
export function inOrder(problems: readonly Problem[]): readonly Problem[] {
  return problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
}

/** The known word that is closest to `word`, if it is close enough to be a slip. */
export function nearest(word: string, known: Iterable<string>): string | null {
  const reach = Math.min(3, Math.max(1, Math.floor(word.length / 3)));
  let best: string | null = null;
  let least = reach + 1;
  for (const candidate of known) {
    const found = distance(word.toLowerCase(), candidate.toLowerCase());
    if (found < least) {
      least = found;
      best = candidate;
    }
  }
  return best;
}

/** Edits between two words: letters that are put in, left out, changed, or changed places with their neighbour. */
function distance(a: string, b: string): number {
  let older: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 0; i < a.length; i += 1) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j += 1) {
      const swap = (row[j] as number) + (a[i] === b[j] ? 0 : 1);
      const crossed = i > 0 && j > 0 && a[i] === b[j - 1] && a[i - 1] === b[j];
      const cross = crossed ? (older[j - 1] as number) + 1 : swap;
      next.push(Math.min(swap, cross, (next[j] as number) + 1, (row[j + 1] as number) + 1));
    }
    older = row;
    row = next;
  }
  return row[b.length] as number;
}
