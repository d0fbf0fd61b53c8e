import type { Boundary } from '../boundary.ts';
import type { BoundaryRule, BoundaryServiceLevel, Measure } from '../quality/boundary.ts';
import { described } from './access.ts';
import { changes, type Line, narrows, type Said, widens } from './line.ts';
import { members, named, own, type Rules } from './walk.ts';

// What data promises to be. A rule shows nobody a row; one that closes its table takes rows away while it does not pass.

export function qualityLines(before: Boundary['quality'], after: Boundary['quality']): readonly Line[] {
  const tables = new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})]);
  return [...tables].flatMap((table) => rulesOf(table, own(before ?? {}, table) ?? {}, own(after ?? {}, table) ?? {}));
}

type TableRules = NonNullable<Boundary['quality']>[string];

function rulesOf(table: string, before: TableRules, after: TableRules): readonly Line[] {
  const place = (name: string) => ({
    path: ['quality', table, name],
    subject: `quality rule \`${name}\` of table \`${table}\``,
  });
  return named(before, after, {
    place,
    text: wholeText,
    added: (rule) =>
      closes(rule) ? narrows('while it does not pass, nobody reads the table') : changes(`${HELD}; ${NUMBER}`),
    removed: (rule) =>
      closes(rule) ? widens('the table is read though it would not pass') : changes('the data is not held against it'),
    changed: (old: BoundaryRule, now: BoundaryRule, name) =>
      members(place(name), old, now, memberRules(closes(old) && closes(now))),
  });
}

const HELD = 'the data is held against it, and nobody sees more or less';
const NUMBER = 'whoever may read the evidence of the product sees its number';

function closes({ onFailure }: BoundaryRule): boolean {
  return onFailure === 'close';
}

function wholeText(rule: BoundaryRule): string {
  const { measure } = rule;
  return 'sql' in measure ? `${ruleText(rule)}: ${measure.sql.trim()}` : ruleText(rule);
}

/** A rule in a few words, as the contract has it. */
export function ruleText({ measure, unit, operator, than }: BoundaryRule): string {
  return `${measureText(measure)} ${operator} ${than.join(' and ')}${unit === 'percent' ? ' percent' : ''}`;
}

function measureText(measure: Measure): string {
  if ('sql' in measure) return 'sql';
  if (measure.metric !== 'duplicateValues') return measure.metric;
  return `${measure.metric} of ${measure.columns.join(', ')}`;
}

/** Of one that closes the table nobody can tell whether it now does so as often. */
function memberRules(closing: boolean): Rules<BoundaryRule> {
  const other = (reason: string): Said =>
    closing
      ? widens(`${reason}: nobody can tell whether the table is closed where it was`)
      : changes(`${reason}; nobody sees more or less rows`);
  return {
    description: described(),
    dimension: { name: 'the dimension', means: () => changes('it is a word for people') },
    column: { name: 'the column', means: () => other('it is of another column') },
    measure: { name: 'what is counted', means: () => other('it counts something else') },
    unit: { name: 'the unit', means: () => other('its number is another') },
    operator: { name: 'the comparison', means: () => other('it passes for other numbers') },
    than: { name: 'the threshold', means: () => other('it passes for other numbers') },
    severity: { name: 'the severity', means: () => changes('who is told of a failure is told otherwise') },
    onFailure: {
      name: 'what a failure does',
      means: (_, now) =>
        now === 'close'
          ? narrows('while it does not pass, nobody reads the table')
          : widens('the table is read though it does not pass'),
    },
  };
}

export function serviceLevelLines(before: Boundary['serviceLevels'], after: Boundary['serviceLevels']) {
  const place = (name: string) => ({ path: ['serviceLevels', name], subject: `service level \`${name}\`` });
  const other = changes('something else is promised; nobody sees more or less');
  return named(before ?? {}, after ?? {}, {
    place,
    text: levelText,
    added: () => changes('it is promised, and nobody sees more or less'),
    removed: () => changes('it is not promised any more'),
    changed: (old: BoundaryServiceLevel, now: BoundaryServiceLevel, name) =>
      members<BoundaryServiceLevel>(place(name), old, now, {
        description: described(),
        property: { name: 'the property', means: () => other },
        value: { name: 'the value', means: () => other },
        unit: { name: 'the unit', means: () => other },
        element: { name: 'the element', means: () => other },
        driver: { name: 'the driver', means: () => changes('it is a word for people') },
      }),
  });
}

/** A service level in a few words. */
export function levelText({ property, value, unit, element }: BoundaryServiceLevel): string {
  return [property, value, unit, element === null ? null : `of ${element}`].filter((one) => one !== null).join(' ');
}
