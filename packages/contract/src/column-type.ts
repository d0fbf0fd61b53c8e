/** Types that parameters and claims can have. */
export const SCALAR_TYPES = [
  'boolean',
  'tinyint',
  'smallint',
  'int',
  'bigint',
  'real',
  'double',
  'string',
  'binary',
  'date',
  'time',
  'timestamp',
  'timestamptz',
] as const;

const NESTING_MAX = 16;

/** Whether `text` is a type of the contract: a scalar, `decimal(P, S)`, `list<T>` or `struct<name: T, ...>`. */
export function isType(text: string, depth = 0): boolean {
  const name = text.trim();
  if (depth > NESTING_MAX) return false;
  if ((SCALAR_TYPES as readonly string[]).includes(name)) return true;
  const decimal = /^decimal\(\s*([0-9]{1,2})\s*,\s*([0-9]{1,2})\s*\)$/.exec(name);
  if (decimal !== null)
    return Number(decimal[1]) >= 1 && Number(decimal[1]) <= 38 && Number(decimal[2]) <= Number(decimal[1]);
  const list = /^list<(.*)>$/s.exec(name);
  if (list !== null) return isType(list[1] ?? '', depth + 1);
  const struct = /^struct<(.*)>$/s.exec(name);
  return struct !== null && fieldsOf(struct[1] ?? '').every((field) => isField(field, depth));
}

function isField(field: string, depth: number): boolean {
  const [, type] = /^\s*\w+\s*:(.*)$/s.exec(field) ?? [];
  return type !== undefined && isType(type, depth + 1);
}

/** Splits at commas that are not inside brackets. */
function fieldsOf(text: string): readonly string[] {
  const fields = [''];
  let depth = 0;
  for (const letter of text) {
    if (letter === '<' || letter === '(') depth += 1;
    if (letter === '>' || letter === ')') depth -= 1;
    if (letter === ',' && depth === 0) fields.push('');
    else fields[fields.length - 1] += letter;
  }
  return fields;
}
