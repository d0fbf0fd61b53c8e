import { isType } from '../column-type.ts';
import type { OdcsProperty } from './document.ts';

// Types of contracts and of ODCS. A physical type that is one of ours, or that everybody writes, is exact; a logical type is
// a kind, and gets the widest of ours that keeps its values.

/** What other systems call them. */
const PHYSICAL: Readonly<Record<string, string>> = {
  bool: 'boolean',
  boolean: 'boolean',
  byte: 'tinyint',
  int8: 'tinyint',
  tinyint: 'tinyint',
  short: 'smallint',
  int16: 'smallint',
  smallint: 'smallint',
  int: 'int',
  int32: 'int',
  int4: 'int',
  integer: 'int',
  long: 'bigint',
  int64: 'bigint',
  bigint: 'bigint',
  float: 'real',
  float32: 'real',
  float4: 'real',
  real: 'real',
  float64: 'double',
  float8: 'double',
  double: 'double',
  'double precision': 'double',
  text: 'string',
  varchar: 'string',
  char: 'string',
  string: 'string',
  utf8: 'string',
  uuid: 'string',
  binary: 'binary',
  varbinary: 'binary',
  bytea: 'binary',
  bytes: 'binary',
  date: 'date',
  time: 'time',
  timestamp: 'timestamp',
  datetime: 'timestamp',
  timestamp_ntz: 'timestamp',
  timestamptz: 'timestamptz',
  timestamp_tz: 'timestamptz',
  timestamp_ltz: 'timestamptz',
  'timestamp with time zone': 'timestamptz',
};

/** The contract's type of an ODCS property, or null where it says none that is one. */
export function typeOf(property: OdcsProperty): string | null {
  const { logicalType, logicalTypeOptions = {}, physicalType, items, properties = [] } = property;
  if (physicalType !== undefined) {
    const exact = physical(physicalType);
    if (exact !== null) return exact;
  }
  switch (logicalType) {
    case 'string':
      return 'string';
    case 'boolean':
      return 'boolean';
    case 'integer':
      return 'bigint';
    case 'number':
      return 'double';
    case 'date':
      return 'date';
    case 'time':
      return 'time';
    case 'timestamp':
      return logicalTypeOptions['timezone'] === true ? 'timestamptz' : 'timestamp';
    case 'array': {
      const inner = items === undefined ? null : typeOf(items);
      return inner === null ? null : `list<${inner}>`;
    }
    case 'object': {
      const fields = properties.map((field) => [field.name, typeOf(field)] as const);
      const whole = fields.length > 0 && fields.every(([name, type]) => name !== undefined && type !== null);
      return whole ? asType(`struct<${fields.map(([name, type]) => `${name}: ${type}`).join(', ')}>`) : null;
    }
    default:
      return null;
  }
}

function physical(text: string): string | null {
  const name = text.trim().toLowerCase();
  const decimal = /^(?:decimal|numeric|number)\s*\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)$/.exec(name);
  if (decimal !== null) return asType(`decimal(${decimal[1]}, ${decimal[2] ?? 0})`);
  return PHYSICAL[name.replace(/\s*\(\s*\d+\s*\)$/, '')] ?? asType(text.trim());
}

function asType(text: string): string | null {
  return isType(text) ? text : null;
}

const LOGICAL: readonly (readonly [RegExp, string])[] = [
  [/^(?:tinyint|smallint|int|bigint)$/, 'integer'],
  [/^(?:real|double|decimal\(.*\))$/, 'number'],
  [/^timestamp(?:tz)?$/, 'timestamp'],
  [/^list</, 'array'],
  [/^struct</, 'object'],
  [/^binary$/, 'string'],
];

/** An ODCS property's types, of a type of the contract. The physical type is the contract's: it comes back as it was. */
export function odcsTypeOf(
  type: string,
): Pick<OdcsProperty, 'logicalType' | 'physicalType' | 'logicalTypeOptions' | 'items'> {
  const name = type.trim();
  const logicalType = LOGICAL.find(([pattern]) => pattern.test(name))?.[1] ?? name;
  const inner = /^list<(.*)>$/s.exec(name)?.[1];
  return {
    logicalType,
    physicalType: name,
    ...(name === 'timestamptz' ? { logicalTypeOptions: { timezone: true } } : {}),
    ...(inner === undefined ? {} : { items: odcsTypeOf(inner) }),
  };
}
