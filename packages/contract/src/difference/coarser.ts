// What one mask shows follows from what another shows, decided on their texts for a few forms. Where it does, whoever
// saw the one learns nothing from the other.

/** Why what `now` shows follows from what `before` showed of the same value, or null where that is not known. */
export function coarser(before: string, now: string, type: string): string | null {
  const [old, is] = [before.trim(), now.trim()];
  return nested(old, is) ?? truncated(old, is) ?? shortened(old, is) ?? stepped(old, is, type);
}

/** `now` is made of the whole of `before`, a call, and of nothing else of the value. */
function nested(before: string, now: string): string | null {
  if (!isOneCall(before)) return null;
  const at = now.indexOf(before);
  if (at < 0 || /[\p{L}\p{N}_."]$/u.test(now.slice(0, at)) || /--|\/\*|u&/i.test(now)) return null;
  const rest = now.split(before).join(' ');
  return /(?<![\p{L}\p{N}_])value(?![\p{L}\p{N}_])/iu.test(rest) ? null : 'it is made of what the mask showed before';
}

/** Whether it is a call from its first to its last sign. */
function isOneCall(sql: string): boolean {
  const [head] = /^[a-z_]\w*\(/i.exec(sql) ?? [];
  if (head === undefined || /["\\]|--|\/\*/.test(sql)) return false;
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < sql.length; at += 1) {
    const sign = sql[at];
    if (sign === "'") quoted = !quoted;
    if (quoted) continue;
    if (sign === '(') depth += 1;
    if (sign === ')') depth -= 1;
    if (depth === 0 && at >= head.length) return at === sql.length - 1;
  }
  return false;
}

/** Each is a whole number of those before it; a week is not part of a month. */
const UNITS = ['microsecond', 'millisecond', 'second', 'minute', 'hour', 'day', 'month', 'quarter', 'year'];

function truncated(before: string, now: string): string | null {
  const unit = (sql: string) => /^date_trunc\s*\(\s*'(\w+)'\s*,\s*value\s*\)$/i.exec(sql)?.[1]?.toLowerCase() ?? '';
  const [old, is] = [UNITS.indexOf(unit(before)), UNITS.indexOf(unit(now))];
  return old >= 0 && is > old ? `a ${UNITS[is]} says less than a ${UNITS[old]}` : null;
}

function shortened(before: string, now: string): string | null {
  const length = (sql: string) =>
    /^(?:left\s*\(\s*value\s*,|substr(?:ing)?\s*\(\s*value\s*,\s*1\s*,)\s*(\d{1,9})\s*\)$/i.exec(sql)?.[1];
  const [old, is] = [length(before), length(now)];
  if (old === undefined || is === undefined || Number(is) >= Number(old)) return null;
  return `the first ${is} characters say less than the first ${old}`;
}

/** Whole numbers in steps: `value / 15 * 15`. */
function stepped(before: string, now: string, type: string): string | null {
  if (!['tinyint', 'smallint', 'int', 'bigint'].includes(type)) return null;
  const step = (sql: string) => {
    const [, by = '', times] = /^value\s*\/\s*(\d{1,9})\s*\*\s*(\d{1,9})$/.exec(sql) ?? [];
    return by === times && Number(by) > 0 ? Number(by) : null;
  };
  const [old, is] = [step(before), step(now)];
  if (old === null || is === null || is === old || is % old !== 0) return null;
  return `steps of ${is} say less than steps of ${old}`;
}
