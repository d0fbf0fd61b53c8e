// Types of contracts as JSON Schema, with the formats of the OpenAPI format registry.

const SAFE = Number.MAX_SAFE_INTEGER;
/** The largest and the smallest whole number of 64 bits that a double holds. */
const INT64_MAX = 2 ** 63 - 1024;
const INT64_MIN = -(2 ** 63);
const FLOAT_MAX = 3.4028234663852886e38;

const wholes: Readonly<Record<string, readonly [number, number, string]>> = {
  tinyint: [-128, 127, 'int8'],
  smallint: [-32_768, 32_767, 'int16'],
  int: [-(2 ** 31), 2 ** 31 - 1, 'int32'],
  bigint: [INT64_MIN, INT64_MAX, 'int64'],
};
const fractions: Readonly<Record<string, readonly [number, string]>> = {
  real: [FLOAT_MAX, 'float'],
  double: [Number.MAX_VALUE, 'double'],
};
const texts: Readonly<Record<string, string>> = {
  date: 'date',
  time: 'time-local',
  timestamp: 'date-time-local',
  timestamptz: 'date-time',
};

/** A declared parameter. */
interface Parameter {
  readonly type: string;
  readonly minimum: number | null;
  readonly maximum: number | null;
}

/** A parameter's value as text of a URL. */
export function parameterInUrl({ type, minimum, maximum }: Parameter): object {
  const whole = wholes[type];
  if (whole !== undefined) {
    return { type: 'integer', format: whole[2], minimum: minimum ?? whole[0], maximum: maximum ?? whole[1] };
  }
  const fraction = fractions[type];
  if (fraction !== undefined) {
    return { type: 'number', format: fraction[1], minimum: -fraction[0], maximum: fraction[0] };
  }
  if (type === 'boolean') return { type };
  return asText(type);
}

/** A parameter's value as JSON: as such, or as text where a URL would have it. */
export function parameterInBody(parameter: Parameter): object {
  const { type, minimum, maximum } = parameter;
  const whole = wholes[type];
  if (whole !== undefined) {
    // Beyond these a JSON number is not what was written.
    const bounds = { minimum: minimum ?? Math.max(whole[0], -SAFE), maximum: maximum ?? Math.min(whole[1], SAFE) };
    const number = { type: 'integer', ...bounds };
    return type === 'bigint' ? { anyOf: [number, asNumeral(whole[2])] } : number;
  }
  const fraction = fractions[type];
  if (fraction !== undefined) return { anyOf: [parameterInUrl(parameter), asNumeral(fraction[1])] };
  if (type === 'boolean') return { anyOf: [{ type }, { type: 'string', enum: ['true', 'false'] }] };
  return asText(type);
}

/** A value that a contract keeps as text where it is no whole number. */
export function parameterValue(type: string, value: string | number | boolean): string | number | boolean {
  return type in fractions ? Number(value) : value;
}

function asNumeral(format: string): object {
  return { type: 'string', format };
}

function asText(type: string): object {
  const [, precision, scale] = /^decimal\((\d+), ?(\d+)\)$/.exec(type) ?? [];
  if (precision !== undefined && scale !== undefined) {
    const digits = Math.max(1, Number(precision) - Number(scale));
    const fraction = Number(scale) === 0 ? '' : `(\\.[0-9]{1,${scale}})?`;
    return { type: 'string', pattern: `^-?[0-9]{1,${digits}}${fraction}$` };
  }
  const format = texts[type];
  return format === undefined ? { type: 'string' } : { type: 'string', format };
}

/** A value of a result, as JSON gives it. */
export function resultValue(type: string, nullable: boolean): object {
  const value = notNull(type);
  return nullable ? { anyOf: [value, { type: 'null' }] } : value;
}

function notNull(type: string): object {
  if (type === 'bigint') return { anyOf: [{ type: 'integer' }, { type: 'string', format: 'int64' }] };
  if (type in wholes) return { type: 'integer' };
  if (type in fractions) {
    return { anyOf: [{ type: 'number' }, { type: 'string', enum: ['NaN', 'Infinity', '-Infinity'] }] };
  }
  if (type === 'boolean') return { type };
  if (type === 'binary') return { type: 'string', contentEncoding: 'base64' };
  if (type.startsWith('list<')) return { type: 'array' };
  if (type.startsWith('struct<')) return { type: 'object' };
  if (type.startsWith('decimal(') || type === 'string' || type in texts) return asText(type);
  // What the engine computes can have types that no contract names.
  return {};
}
