import type { Boundary, BoundaryLimits, BoundarySetting } from '../boundary.ts';
import { changes, type Comparing, type Line, narrows, pointer, type Said, widens } from './line.ts';
import { members, named, type Rule, type Rules, shown, without } from './walk.ts';

// What sessions run with.

/** Settings by which SQL or data mean something else, and with them row filters and masks. */
const MEANING =
  /^datafusion\.(?:sql_parser\.|spark\.|execution\.(?:time_zone|enable_ansi_mode|parquet\.(?:binary_as_string|coerce_int96|skip_arrow_metadata|skip_metadata)))/;
/** While it is set, files in folders of a table's folder are not the table's. */
const SUBFOLDERS = 'datafusion.execution.listing_table_ignore_subdirectory';

export function settingLines(
  { after: boundary }: Comparing,
  before: Boundary['settings'],
  after: Boundary['settings'],
) {
  const place = (name: string) => ({ path: ['settings', name], subject: `setting \`${name}\`` });
  const governed = Object.keys(boundary.rowFilters).length + Object.keys(boundary.masks).length > 0;
  const said = (name: string, now: string | null): Said => {
    if (name === SUBFOLDERS)
      return now === 'true'
        ? narrows('files in folders within a table’s folder are no longer part of it')
        : widens('files in folders within a table’s folder are part of it');
    if (!MEANING.test(name)) return changes('it decides how a query is run, not what can be seen');
    if (!governed) return changes('SQL or data mean something else; there is no row filter and no mask');
    return widens('SQL or data mean something else, row filters and masks too: nobody can tell what they hide');
  };
  return named(before, after, {
    place,
    text: ({ value }) => value,
    added: ({ value }, name) => said(name, value),
    removed: (_, name) => said(name, null),
    changed: (old: BoundarySetting, now: BoundarySetting, name) =>
      members(place(name), old, now, {
        value: { name: '', means: (_, is) => said(name, is) },
        origin: { name: 'the origin', means: () => changes('somebody else sets it') },
      }),
  });
}

export function limitLines(before: BoundaryLimits, after: BoundaryLimits): readonly Line[] {
  const of = (name: string): Rule<number> => ({
    name,
    means: (old, now) =>
      now > old ? widens('a session may use up more') : narrows('a session may use up less before it is ended'),
  });
  const together = (name: string): Rule<number> => ({
    name,
    means: (old, now) =>
      now > old ? widens('more of a tenant may ask at once') : narrows('fewer of a tenant may ask at once'),
  });
  const rules: Rules<BoundaryLimits> = {
    timeoutMs: of('the limit on milliseconds'),
    memoryBytes: of('the limit on bytes of memory'),
    spillBytes: of('the limit on bytes of spill files'),
    rows: of('the limit on rows of a result'),
    bytes: of('the limit on bytes of a result'),
    statementBytes: of('the limit on bytes of a statement'),
    statementNodes: of('the limit on parts of a statement'),
    statementDepth: of('the limit on the depth of a statement'),
    planNodes: of('the limit on steps of a plan'),
    concurrency: together('the limit on how many a tenant has open'),
    queue: together('the limit on how many of a tenant wait for one'),
  };
  return members({ path: ['limits'], subject: 'sessions' }, before, after, rules);
}

export function loweredLines(before: Boundary['lowered'] = [], after: Boundary['lowered'] = []): readonly Line[] {
  const line = (name: string, is: boolean): Line => {
    const [was, now] = is ? ['contract', 'environment'] : ['environment', 'contract'];
    const subject = `the origin of limit \`${name}\``;
    const said = changes('somebody else sets it; what it is has a line of its own');
    return { path: pointer('lowered'), subject, before: was, after: now, ...said };
  };
  const lines = [
    ...without(after, before).map((name) => line(name, true)),
    ...without(before, after).map((name) => line(name, false)),
  ];
  if (lines.length > 0) return lines;
  const order = changes('the same limits are listed in another order or number');
  const subject = 'limits that the environment sets';
  return [{ path: pointer('lowered'), subject, before: shown(before), after: shown(after), ...order }];
}

export function engineLines(before: Boundary['engine'], after: Boundary['engine']): readonly Line[] {
  const other = changes('SQL, row filters and masks too, is run by another program: its notes tell what differs');
  return members({ path: ['engine'], subject: 'the engine' }, before, after, {
    name: { name: 'the name', means: () => other },
    version: { name: 'the version', means: () => other },
  });
}
