import type { Boundary, BoundaryRowFilter } from '../boundary.ts';
import { around } from './around.ts';
import { described } from './access.ts';
import {
  changes,
  type Comparing,
  type Implied,
  type Line,
  narrows,
  pointer,
  quoted,
  type Said,
  widens,
} from './line.ts';
import { supply } from './sources.ts';
import { members, own, same, without } from './walk.ts';
import { names } from './words.ts';

// Row filters of a table are all ANDed, and each can be lifted for somebody on its own: so each is compared with the one
// of its name, and with those of others that nobody can be exempted from.

/** Lines for the row filters. */
export async function rowFilterLines(
  comparing: Comparing,
  before: Boundary['rowFilters'],
  after: Boundary['rowFilters'],
): Promise<readonly Line[]> {
  const lines: Line[] = [];
  for (const id of [...new Set([...Object.keys(before), ...Object.keys(after)])].toSorted()) {
    const [old, now] = [own(before, id), own(after, id)];
    if (old !== undefined && now !== undefined && old.table === now.table) {
      lines.push(...(await changed(comparing, id, old, now)));
      continue;
    }
    if (old !== undefined) lines.push(line(id, old, 'removed', await removed(comparing, id, old)));
    if (now !== undefined) lines.push(line(id, now, 'added', added(now)));
  }
  return lines;
}

function line(id: string, filter: BoundaryRowFilter, how: 'added' | 'removed', said: Said): Line {
  const [before, after] = how === 'added' ? [null, filter.where] : [filter.where, null];
  return { path: pointer('rowFilters', id), subject: subjectOf(id, filter), before, after, ...said };
}

function subjectOf(id: string, { table }: BoundaryRowFilter): string {
  return `row filter \`${id}\` of table \`${table}\``;
}

function added({ table }: BoundaryRowFilter): Said {
  return narrows(`everyone who is not exempted sees only those rows of \`${table}\` that pass it`);
}

async function removed(comparing: Comparing, id: string, filter: BoundaryRowFilter): Promise<Said> {
  const { before, after } = comparing;
  const { table } = filter;
  if (own(after.tables, table) === undefined) return narrows(`table \`${table}\` is not there any more`);
  const left = Object.values(after.rowFilters).filter((one) => one.table === table);
  if (left.length === 0) return widens(`everyone for whom it held sees all rows of \`${table}\``);
  const implied = await rowsStay(comparing, id, filter, null);
  if (implied.answer === 'yes') return changes(`nobody sees more rows of \`${table}\`: ${implied.reason}`);
  const held = own(before.tables, table) === undefined ? '' : ' that it hid';
  return widens(`everyone for whom it held may see rows of \`${table}\`${held}: ${implied.reason}`);
}

async function changed(
  comparing: Comparing,
  id: string,
  old: BoundaryRowFilter,
  now: BoundaryRowFilter,
): Promise<readonly Line[]> {
  const stays = await sameMeaning(comparing, id, old, now);
  const place = { path: ['rowFilters', id], subject: subjectOf(id, now) };
  const lines = members(place, old, now, {
    description: described(),
    table: { name: 'the table', means: () => widens('it holds for another table') },
    where: { name: '', means: () => stays },
    claims: { name: 'the claims', means: () => following(old, now, stays) },
    reads: { name: 'what is read by the subqueries', means: () => following(old, now, stays) },
  });
  // The same words over other tables or types may say something else.
  if (lines.some(({ path }) => path === pointer('rowFilters', id, 'where')) || stays.effect !== 'widens') return lines;
  return [
    ...lines,
    { path: pointer('rowFilters', id), subject: place.subject, before: old.where, after: now.where, ...stays },
  ];
}

function following(old: BoundaryRowFilter, now: BoundaryRowFilter, stays: Said): Said {
  return old.where === now.where
    ? stays
    : { effect: stays.effect, reason: 'it follows from the filter, which has a line of its own' };
}

/** What it means that a filter reads `now` and not `old`. */
async function sameMeaning(
  comparing: Comparing,
  id: string,
  old: BoundaryRowFilter,
  now: BoundaryRowFilter,
): Promise<Said> {
  const { table } = now;
  const fewer = await rowsStay(comparing, id, old, now);
  if (fewer.answer === 'no') return widens(`it shows rows of \`${table}\` that it hid: ${fewer.reason}`);
  if (fewer.answer === 'cannot tell')
    return widens(`nobody can tell whether it shows rows of \`${table}\` that it hid: ${fewer.reason}`);
  if (old.where === now.where) return changes('it says the same');
  const { oracle } = comparing;
  const more = same(old.claims, now.claims)
    ? await oracle.implies(around(comparing, table), old.where, now.where)
    : { answer: 'cannot tell' as const };
  if (more.answer === 'yes') return changes(`the same rows of \`${table}\` pass it: ${fewer.reason}`);
  return narrows(`it shows no row of \`${table}\` that it hid: ${fewer.reason}`);
}

/** Whether rows that `now`, or without it those filters that hold for everybody, let through all passed `old`. */
async function rowsStay(
  comparing: Comparing,
  id: string,
  old: BoundaryRowFilter,
  now: BoundaryRowFilter | null,
): Promise<Implied> {
  const { after, oracle } = comparing;
  if (own(after.tables, old.table) === undefined) return { answer: 'yes', reason: 'its table is not there any more' };
  const unclear = otherInput(comparing, old.table, [old, ...(now === null ? [] : [now])]);
  if (unclear !== null) return { answer: 'cannot tell', reason: unclear };
  if (now !== null && now.where === old.where) return { answer: 'yes', reason: 'it is the same text' };
  const others = holdingForAll(comparing, id, old.table);
  const premises = [...(now === null ? [] : [[id, now] as const]), ...others];
  let last: Implied = { answer: 'cannot tell', reason: 'every filter that stays can be lifted by a policy' };
  for (const premise of [...premises.map((one) => [one]), ...(premises.length > 1 ? [premises] : [])]) {
    const claims = premise.flatMap(([, filter]) => filter.claims);
    if (without(old.claims, claims).length > 0) {
      last = { answer: 'cannot tell', reason: 'who lacks a claim that it named was refused, and is not any more' };
      continue;
    }
    const where = premise.map(([, filter]) => filter.where);
    const stronger = where.length === 1 ? (where[0] ?? '') : where.map((one) => `(${one})`).join(' AND ');
    last = await oracle.implies(around(comparing, old.table), stronger, old.where);
    const by = premise.map(([name]) => name).filter((name) => name !== id);
    const whose = by.length === 0 ? '' : `with ${quoted(by)}, `;
    if (last.answer === 'yes') return { answer: 'yes', reason: `${whose}${last.reason}` };
  }
  return last;
}

/** Filters of the table that no policy can lift. */
function holdingForAll(
  { after, oracle }: Comparing,
  id: string,
  table: string,
): readonly (readonly [string, BoundaryRowFilter])[] {
  return Object.entries(after.rowFilters)
    .filter(([name, filter]) => name !== id && filter.table === table)
    .filter(([name]) => oracle.policies.exempting(after, 'RowFilter', name).length === 0)
    .toSorted(([one], [other]) => (one < other ? -1 : 1));
}

/** Why the same words may mean something else in the two boundaries, or null. */
function otherInput({ before, after }: Comparing, table: string, filters: readonly BoundaryRowFilter[]): string | null {
  for (const { where, claims, reads } of filters) {
    for (const claim of claims) {
      const [old, now] = [own(before.claims, claim)?.type, own(after.claims, claim)?.type];
      if (old !== undefined && old !== now) return `claim \`${claim}\` is of another type`;
    }
    const retyped = retypedColumn(before, after, table, (column) => names(where, column));
    if (retyped !== null) return retyped;
    for (const [read, columns] of Object.entries(reads.tables)) {
      if (own(before.tables, read) === undefined) continue;
      if (supply(before, read) !== supply(after, read)) return `it looks into table \`${read}\`, which lies elsewhere`;
      const other = retypedColumn(before, after, read, (column) => columns.includes(column));
      if (other !== null) return other;
    }
  }
  return null;
}

/** A column among those that matter whose type is another. */
function retypedColumn(
  before: Boundary,
  after: Boundary,
  table: string,
  matters: (column: string) => boolean,
): string | null {
  for (const { name, type } of own(before.tables, table)?.columns ?? []) {
    const now = own(after.tables, table)?.columns.find((column) => column.name === name);
    if (now !== undefined && now.type !== type && matters(name))
      return `column \`${table}.${name}\` is of another type`;
  }
  return null;
}
