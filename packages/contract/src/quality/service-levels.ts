import type { Draft } from '../draft.ts';
import type { BoundaryServiceLevel } from './boundary.ts';

// Service levels that say how old data may be are checked; the others are words.

const AGES = ['freshness', 'latency'];

const UNIT_SECONDS: Readonly<Record<string, number>> = {
  s: 1,
  sec: 1,
  second: 1,
  seconds: 1,
  m: 60,
  min: 60,
  minute: 60,
  minutes: 60,
  h: 3_600,
  hr: 3_600,
  hour: 3_600,
  hours: 3_600,
  d: 86_400,
  day: 86_400,
  days: 86_400,
};

const TIMES = ['date', 'timestamp', 'timestamptz'];

type Level = Pick<BoundaryServiceLevel, 'property' | 'value' | 'unit' | 'element'>;

/** How old the newest value of a column may be. */
export interface AgeMax {
  readonly table: string;
  readonly column: string;
  readonly seconds: number;
}

/** What a service level says of age; null: it says something else, or what it says cannot be told. */
export function ageMaxOf({ property, value, unit, element }: Level): AgeMax | null {
  const [table, column] = partsOf(element ?? '');
  const seconds = UNIT_SECONDS[(unit ?? 'd').toLowerCase()];
  const amount = typeof value === 'boolean' || value === '' ? Number.NaN : Number(value);
  if (!isAge(property) || column === '' || seconds === undefined || !(amount > 0)) return null;
  return { table, column, seconds: amount * seconds };
}

/** Names of ODCS are of any case. */
export function isAge(property: string): boolean {
  return AGES.includes(property.toLowerCase());
}

/** A name of a table has no point, one of a column may. */
function partsOf(element: string): readonly [string, string] {
  const at = element.indexOf('.');
  return at < 0 ? ['', ''] : [element.slice(0, at), element.slice(at + 1)];
}

/** Service levels that would be checked, and cannot be. */
export function checkServiceLevels(draft: Draft): void {
  const { serviceLevels = {}, tables } = draft.contract;
  for (const [name, level] of Object.entries(serviceLevels)) {
    const path = ['serviceLevels', name];
    const { property, value, unit = 'd', element } = level;
    if (!isAge(property)) continue;
    if (element === undefined) {
      draft.say(path, `\`${property}\` is of no column`, 'say `element`: table.column', 'key');
      continue;
    }
    const [table, column] = partsOf(element);
    if (column === '') {
      draft.say([...path, 'element'], `\`${element}\` is no column`, 'table.column');
      continue;
    }
    if (UNIT_SECONDS[unit.toLowerCase()] === undefined)
      draft.say([...path, 'unit'], `\`${unit}\` is no unit of time that can be checked`, 'd, h, m or s');
    if (typeof value === 'boolean' || value === '' || !(Number(value) > 0))
      draft.say([...path, 'value'], `\`${value}\` is no span of time`, 'a number above 0');
    if (!draft.known([...path, 'element'], 'table', table, Object.keys(tables))) continue;
    const columns = tables[table]?.columns ?? {};
    if (!draft.known([...path, 'element'], 'column', column, Object.keys(columns))) continue;
    const type = columns[column]?.type.trim() ?? '';
    if (!TIMES.includes(type))
      draft.say([...path, 'element'], `column \`${column}\` is of type \`${type}\``, `types here: ${TIMES.join(', ')}`);
  }
}
