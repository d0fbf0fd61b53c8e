// Policy SQL as text: what can be told of it without a parser, wrong in one direction only.

/** Whether SQL may name a column. Never false where it does: an identifier stands in a text as it is. */
export function names(sql: string, column: string): boolean {
  const escaped = column.replaceAll(/[.*+?^${}()|[\]\\/-]/g, '\\$&');
  // Where a name begins or ends with a letter, the word does too.
  const start = /^[\p{L}\p{N}_]/u.test(column) ? '(?<![\\p{L}\\p{N}_])' : '';
  const end = /[\p{L}\p{N}_]$/u.test(column) ? '(?![\\p{L}\\p{N}_])' : '';
  return new RegExp(`${start}${escaped}${end}`, 'iu').test(sql);
}

/** A mask that names the column that it masks, as one that names `value` would say it. */
export function asValue(sql: string, column: string): string {
  if (!/^\w+$/.test(column) || sql.includes('"')) return sql;
  const word = new RegExp(`(?<![\\p{L}\\p{N}_$.])${column}(?![\\p{L}\\p{N}_(.])`, 'gu');
  // What stands in quotes is text.
  const parts = sql.split("'");
  return parts.map((part, at) => (at % 2 === 0 ? part.replaceAll(word, 'value') : part)).join("'");
}

/** Whether SQL may hold a subquery. */
export function looksElsewhere(sql: string): boolean {
  return /\b(?:select|from|table|values|with|exists)\b/i.test(sql);
}

/** Whether it is one constant: NULL, a number, a text, a truth value. */
export function isConstant(sql: string): boolean {
  return /^\s*(?:null|true|false|-?\d+(?:\.\d+)?|'[^'\\]*')\s*$/i.test(sql);
}

/** Whether two pieces of SQL are the same text, spaces around them aside. */
export function sameText(one: string, other: string): boolean {
  return one.trim() === other.trim();
}
