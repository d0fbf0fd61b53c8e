import type { Scalar } from 'yaml';

/**
 * Where in a file the character stands that is at `target` in the text of a scalar, both in UTF-16 units: YAML folds lines,
 * strips indentation and has escapes.
 */
export function offsetInFile(file: string, scalar: Scalar, target: number): number {
  const [start, end] = scalar.range ?? [0, 0];
  const value = String(scalar.value);
  switch (scalar.type) {
    case 'BLOCK_LITERAL':
    case 'BLOCK_FOLDED':
      return walk(blockOf(file, start, end, value), value, target);
    case 'QUOTE_DOUBLE':
      return walk({ file, start: start + 1, end, indent: null, step: doubleQuoted }, value, target);
    case 'QUOTE_SINGLE':
      return walk({ file, start: start + 1, end, indent: null, step: singleQuoted }, value, target);
    default:
      return walk({ file, start, end, indent: null, step: plain }, value, target);
  }
}

interface Source {
  readonly file: string;
  readonly start: number;
  readonly end: number;
  /** What each line of a block is indented by; null: any space around a line break is not the text's. */
  readonly indent: number | null;
  /** How long what stands at `at` is in the file, and in the text. */
  readonly step: (file: string, at: number) => readonly [number, number];
}

function walk({ file, start, end, indent, step }: Source, value: string, target: number): number {
  let at = start;
  let done = 0;
  // What stands for nothing is passed over before the character that it stands before.
  const joined = (): boolean => step(file, at)[1] === 0;
  while (at < end && (done < target || joined())) {
    const space = /[ \t]*(?:\r?\n)/y;
    space.lastIndex = at;
    // In a block the spaces before a break are the text's, but for a blank line that it begins with.
    const loose = indent === null || at === start;
    const atBreak = loose ? space.test(file) : file[at] === '\n' || file.startsWith('\r\n', at);
    if (atBreak) {
      const run = breaks(file, at, indent);
      done += lengthInText(value, done, run.count);
      at = run.end;
    } else {
      const [inFile, inText] = step(file, at);
      at += inFile;
      done += inText;
    }
  }
  return at;
}

/** Line breaks from here on, blank lines between them included, and where the next text begins. */
function breaks(file: string, from: number, indent: number | null): { readonly count: number; readonly end: number } {
  let count = 0;
  let end = from;
  const next = /[ \t]*\r?\n/y;
  for (next.lastIndex = end; next.test(file); next.lastIndex = end) {
    count += 1;
    end = next.lastIndex;
  }
  const spaces = /[ \t]*/y;
  spaces.lastIndex = end;
  const found = spaces.exec(file)?.[0].length ?? 0;
  return { count, end: end + Math.min(found, indent ?? found) };
}

/** What so many line breaks are in the text: a space, or line breaks, one less where lines are folded. */
function lengthInText(value: string, at: number, count: number): number {
  if (value[at] === ' ') return 1;
  let length = 0;
  while (length < count && value[at + length] === '\n') length += 1;
  return length;
}

function blockOf(file: string, start: number, end: number, value: string): Source {
  const body = file.indexOf('\n', start) + 1;
  const indentOf = (text: string): number => /^ */.exec(text)?.[0].length ?? 0;
  const firstLine = (text: string): string => text.split('\n').find((line) => line.trim() !== '') ?? '';
  const indent = indentOf(firstLine(file.slice(body, end))) - indentOf(firstLine(value));
  // A blank line at the beginning is a line break of the text.
  const first = /^[ \t]*\r?\n/.test(file.slice(body, end)) ? body : body + indent;
  return { file, start: first, end, indent, step: plain };
}

function plain(): readonly [number, number] {
  return [1, 1];
}

function singleQuoted(file: string, at: number): readonly [number, number] {
  return file.startsWith("''", at) ? [2, 1] : [1, 1];
}

function doubleQuoted(file: string, at: number): readonly [number, number] {
  if (file[at] !== '\\') return [1, 1];
  const joined = /\\\r?\n[ \t]*/y;
  joined.lastIndex = at;
  const join = joined.exec(file)?.[0];
  if (join !== undefined) return [join.length, 0];
  const digits = { x: 2, u: 4, U: 8 }[file[at + 1] ?? ''];
  if (digits === undefined) return [2, 1];
  const code = Number.parseInt(file.slice(at + 2, at + 2 + digits), 16);
  return [2 + digits, code > 0xffff ? 2 : 1];
}
