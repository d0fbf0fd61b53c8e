import type { Words } from './words.ts';

/** Stands for what is not shown. */
export const HIDDEN = '?';

// Characters of operators and punctuation, each of which is shown as it is.
const SIGNS = '()[]{},.;:+-*/%=<>!|&^~@#';

type Reader = (rest: RegExpExecArray, sql: string, words: Words) => { readonly shown: string; readonly end: number };

/** Up to where the whole match is. */
const upTo =
  (shown: (found: RegExpExecArray, words: Words) => string): Reader =>
  (found, _, words) => ({ shown: shown(found, words), end: found.index + found[0].length });

const quotedName = (found: RegExpExecArray, words: Words): string =>
  `"${words.quoted((found[1] ?? '').replaceAll('""', '"')) ?? HIDDEN}"`;

/** What may begin at a place, in this order. A text that lacks its end goes to the end of all. */
const READERS: readonly (readonly [RegExp, Reader])[] = [
  [/\s+/y, upTo(([space]) => (space.includes('\n') ? '\n' : ' '))],
  [/--[^\n]*/y, upTo(() => COMMENT)],
  [/\/\*/y, (found, sql) => ({ shown: COMMENT, end: endOfComment(sql, found.index) })],
  [/e'(?:[^'\\]|''|\\[\s\S])*(?:'|$)/iy, upTo(() => HIDDEN)],
  [/(?:[a-z]|u&)?'(?:[^']|'')*(?:'|$)/iy, upTo(() => HIDDEN)],
  [/"((?:[^"]|"")*)(?:"|$)/y, upTo(quotedName)],
  [/`([^`]*)(?:`|$)/y, upTo(quotedName)],
  [/\$(?:[\p{L}_][\p{L}\p{N}_]*)?\$/uy, (found, sql) => ({ shown: HIDDEN, end: endOfDollars(sql, found) })],
  [/\$([\p{L}\p{N}_]+)/uy, upTo(([, name = ''], words) => `$${words.parameter(name) ?? HIDDEN}`)],
  [/\.?[0-9][\p{L}\p{N}_.]*(?:(?<=e)[+-][0-9]+)?/iuy, upTo(() => HIDDEN)],
  [/[\p{L}_][\p{L}\p{N}_$]*/uy, upTo(([word], words) => words.keyword(word) ?? words.name(word) ?? HIDDEN)],
];

const COMMENT = '/* ? */';

/**
 * SQL without what whoever wrote it put in: strings, numbers, comments, and names of their own become `?`. Whatever this takes
 * for what, it writes words that may be shown, signs and `?`, and never a piece of what it reads. So a mistake of it could
 * show a keyword that stood in a string, and not the string.
 */
export function redactSql(sql: string, words: Words): string {
  let shown = '';
  for (let at = 0; at < sql.length; ) {
    const token = tokenAt(sql, at, words);
    shown += token.shown;
    at = token.end;
  }
  return shown;
}

function tokenAt(sql: string, at: number, words: Words): { readonly shown: string; readonly end: number } {
  for (const [pattern, read] of READERS) {
    pattern.lastIndex = at;
    const found = pattern.exec(sql);
    if (found !== null && found[0] !== '') return read(found, sql, words);
  }
  const sign = SIGNS[SIGNS.indexOf(sql.charAt(at))];
  return { shown: sign ?? HIDDEN, end: at + 1 };
}

/** Comments nest. */
function endOfComment(sql: string, start: number): number {
  const marks = /\/\*|\*\//g;
  marks.lastIndex = start;
  let depth = 0;
  for (let mark = marks.exec(sql); mark !== null; mark = marks.exec(sql)) {
    depth += mark[0] === '/*' ? 1 : -1;
    if (depth === 0) return marks.lastIndex;
  }
  return sql.length;
}

function endOfDollars(sql: string, { 0: tag, index }: RegExpExecArray): number {
  const end = sql.indexOf(tag, index + tag.length);
  return end < 0 ? sql.length : end + tag.length;
}
