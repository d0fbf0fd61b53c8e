import type { Boundary, ClaimValue } from '../boundary.ts';
import { durationMs } from '../units.ts';
import type { OdcsContract } from './document.ts';

// Service levels, from ODCS and to it. The time after which a query is ended is one there, and a limit here.

type SlaProperty = NonNullable<OdcsContract['slaProperties']>[number];

const TIME_OUT = 'timeOut';

export interface TakenServiceLevels {
  readonly serviceLevels: Readonly<Record<string, object>>;
  /** As a limit of a contract; null: none is said. */
  readonly timeout: string | null;
  /** What was not taken, in words. */
  readonly left: readonly string[];
}

/** `nameOf` gives objects the names of their tables. */
export function serviceLevelsFrom(
  declared: readonly SlaProperty[],
  nameOf: (object: string) => string,
): TakenServiceLevels {
  const left: string[] = [];
  const serviceLevels: Record<string, object> = {};
  let timeout: string | null = null;
  for (const one of declared) {
    const { id, property, value, unit, element, driver, description, ...rest } = one;
    const limit = property === TIME_OUT ? limitOf(value, unit) : null;
    if (limit !== null) {
      timeout = limit;
      continue;
    }
    if (value === undefined || value === null || typeof value === 'object') {
      left.push(`service level ${property}: it has no value that stands for itself`);
      continue;
    }
    if (element?.includes(',') === true) {
      left.push(`service level ${property}: it is about several elements`);
      continue;
    }
    if (!/^[A-Za-z][A-Za-z0-9_-]{0,62}$/.test(property)) {
      left.push(`service level ${property}: it has no name that can stand in a contract`);
      continue;
    }
    if (Object.keys(rest).length > 0) left.push(`service level ${property}: ${Object.keys(rest).join(', ')}`);
    const name = freeName(id ?? property, serviceLevels);
    serviceLevels[name] = {
      property,
      value,
      ...(unit === undefined ? {} : { unit }),
      ...(element === undefined ? {} : { element: element.replace(/^[^.]+/, nameOf) }),
      ...(driver === undefined ? {} : { driver }),
      ...(description === undefined || description === '' ? {} : { description }),
    };
  }
  return { serviceLevels, timeout, left };
}

function limitOf(value: unknown, unit = 'ms'): string | null {
  const text = `${String(value)}${unit}`;
  return /^[1-9][0-9]{0,8}(?:ms|s|m|h)$/.test(text) && durationMs(text) > 0 ? text : null;
}

function freeName(word: string, taken: Readonly<Record<string, unknown>>): string {
  const plain = word
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1-$2')
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]+/g, '-');
  const name = (/^[a-z]/.test(plain) ? plain : `level-${plain}`).slice(0, 60);
  for (let at = 1; ; at += 1) {
    const free = at === 1 ? name : `${name}-${at}`;
    if (!Object.hasOwn(taken, free)) return free;
  }
}

/** The limit on time and the service levels of a boundary, as ODCS has them. */
export function slaPropertiesOf({ limits, serviceLevels = {} }: Boundary): readonly object[] {
  const levels = Object.entries(serviceLevels).map(([id, { property, value, unit, element, driver, description }]) => ({
    id,
    property,
    value: numeric(value),
    ...(unit === null ? {} : { unit }),
    ...(element === null ? {} : { element }),
    ...(driver === null ? {} : { driver }),
    ...(description === '' ? {} : { description }),
  }));
  return [{ property: TIME_OUT, value: limits.timeoutMs, unit: 'ms', description: 'A query is ended' }, ...levels];
}

/** A fraction, which a boundary keeps as its text. */
function numeric(value: ClaimValue): ClaimValue {
  return typeof value === 'string' && /^-?\d+\.\d+$/.test(value) ? Number(value) : value;
}
