import { padded, printable } from '../display.ts';

/** Lines of a page: a heading at the margin, what belongs to it indented. */
export function section(heading: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ['', heading, ...indented(lines)];
}

export function indented(lines: readonly string[]): readonly string[] {
  return lines.flatMap((line) => line.split('\n')).map((line) => (line === '' ? '' : `  ${line}`));
}

/** `name   value` with the values under each other. Values that are null are left out. */
export function facts(pairs: readonly (readonly [string, string | null])[]): readonly string[] {
  const told = pairs.filter((pair): pair is readonly [string, string] => pair[1] !== null);
  const width = Math.max(0, ...told.map(([name]) => name.length));
  return told.flatMap(([name, value]) =>
    value.split('\n').map((line, index) => `${padded(index === 0 ? name : '', width, 'left')}  ${line}`.trimEnd()),
  );
}

/** Words in lines of at most `width`, after each other with commas. */
export function listed(words: readonly string[], width = 92): string {
  if (words.length === 0) return 'none';
  const lines: string[] = [];
  for (const [index, word] of words.entries()) {
    const text = printable(word) + (index === words.length - 1 ? '' : ',');
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + text.length <= width) lines[lines.length - 1] = `${last} ${text}`;
    else lines.push(text);
  }
  return lines.join('\n');
}

/** Text of several lines, its own indentation kept, safe for a terminal. */
export function block(text: string): readonly string[] {
  return printable(text.trim(), 'keep').split('\n');
}
