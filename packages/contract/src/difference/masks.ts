import type { Boundary, BoundaryMask } from '../boundary.ts';
import { described, seenByPolicies } from './access.ts';
import { around } from './around.ts';
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
import { members, own, without } from './walk.ts';
import { asValue, isConstant, looksElsewhere, names } from './words.ts';

// Masks on a column apply one after the other. A mask may name other columns too, raw: one that does can show more than
// it hides.

/** Lines for the masks. */
export async function maskLines(
  comparing: Comparing,
  before: Boundary['masks'],
  after: Boundary['masks'],
): Promise<readonly Line[]> {
  const ids = [...new Set([...Object.keys(before), ...Object.keys(after)])].toSorted();
  const lines = await Promise.all(
    ids.map(async (id): Promise<readonly Line[]> => {
      const [old, now] = [own(before, id), own(after, id)];
      if (old !== undefined && now !== undefined) return changed(comparing, id, old, now);
      if (now !== undefined)
        return columnsOf(now).map((on) => line(id, on, null, now.with, covered(comparing, id, now, on)));
      return columnsOf(old as BoundaryMask).map((on) =>
        line(id, on, old?.with ?? '', null, uncovered(comparing, id, on)),
      );
    }),
  );
  return [...lines.flat(), ...reordered(comparing), ...emptied(before, after)];
}

function columnsOf({ columns }: BoundaryMask): readonly string[] {
  return columns.map(({ table, column }) => `${table}.${column}`);
}

/** A mask that covers no column. */
function emptied(before: Boundary['masks'], after: Boundary['masks']): readonly Line[] {
  const alone = (masks: Boundary['masks'], others: Boundary['masks']) =>
    Object.keys(masks).filter((id) => !Object.hasOwn(others, id) && masks[id]?.columns.length === 0);
  const told = (id: string, was: string | null, is: string | null): Line => ({
    path: pointer('masks', id),
    subject: `mask \`${id}\``,
    before: was,
    after: is,
    ...changes('it covers no column'),
  });
  return [
    ...alone(after, before).map((id) => told(id, null, after[id]?.with ?? '')),
    ...alone(before, after).map((id) => told(id, before[id]?.with ?? '', null)),
  ];
}

function line(id: string, on: string, before: string | null, after: string | null, said: Said): Line {
  return { path: pointer('masks', id, 'columns'), subject: `mask \`${id}\` on \`${on}\``, before, after, ...said };
}

/** Whether a column is there on both sides: where it is not, its own line says so. */
function stays({ before, after }: Comparing, on: string): boolean {
  return [before, after].every((boundary) => typeOf(boundary, on) !== undefined);
}

function typeOf(boundary: Boundary, on: string): string | undefined {
  const at = on.indexOf('.');
  return own(boundary.tables, on.slice(0, at))?.columns.find(({ name }) => name === on.slice(at + 1))?.type;
}

function uncovered(comparing: Comparing, id: string, on: string): Said {
  if (!stays(comparing, on)) return narrows(`\`${on}\` is not there any more`);
  return widens(`everyone for whom \`${id}\` held sees \`${on}\` without it`);
}

/** A mask shows less where what it shows follows from what was shown. */
function covered(comparing: Comparing, id: string, mask: BoundaryMask, on: string): Said {
  if (!stays(comparing, on)) return narrows('it was not there before');
  if (alwaysOne(comparing, id, mask, on)) return narrows(ONE_VALUE);
  const chain = chainOf(comparing.after, on);
  const old = chainOf(comparing.before, on);
  const behind = chain.slice(chain.indexOf(id) + 1).filter((other) => old.includes(other));
  if (behind.length > 0) return widens(`it applies before ${quoted(behind)}, and nobody can tell what they then show`);
  const other = otherColumn(comparing, on, textOn(comparing, mask, on));
  if (other !== null) return widens(other);
  return narrows('everyone who is not exempted sees what it makes of the value');
}

const ONE_VALUE = 'everyone who is not exempted sees one value, always the same';

/** Whether nothing but one value comes out: masks behind it make nothing else of a constant than another. */
function alwaysOne(comparing: Comparing, id: string, mask: BoundaryMask, on: string): boolean {
  const chain = chainOf(comparing.after, on);
  const behind = chain.slice(chain.indexOf(id) + 1).map((other) => comparing.after.masks[other]?.with ?? '');
  return isConstant(mask.with) && behind.every((sql) => otherColumn(comparing, on, sql) === null);
}

/** What a mask says of a column. Where nothing else masks it, its name is the value. */
function textOn({ before, after }: Comparing, { with: sql }: BoundaryMask, on: string): string {
  const masks = new Set([...chainOf(before, on), ...chainOf(after, on)]);
  return masks.size > 1 ? sql : asValue(sql, on.slice(on.indexOf('.') + 1));
}

/** Why a mask may show something else than the value that it masks, or null. */
function otherColumn({ before, after }: Comparing, on: string, sql: string): string | null {
  if (looksElsewhere(sql)) return 'it may look into other rows or tables, and show them';
  const [table, masked] = [on.slice(0, on.indexOf('.')), on.slice(on.indexOf('.') + 1)];
  for (const boundary of [before, after]) {
    const others = own(boundary.tables, table)?.columns.map(({ name }) => name) ?? [];
    const named = others.find((name) => name !== 'value' && names(sql, name));
    if (named !== undefined) {
      const which = named === masked ? 'the raw column' : `column \`${named}\``;
      return `it names ${which}, and may show of it what was hidden`;
    }
  }
  return null;
}

/** Masks of a column, in order. */
function chainOf({ masks }: Boundary, on: string): readonly string[] {
  return Object.entries(masks)
    .filter(([, mask]) => columnsOf(mask).includes(on))
    .toSorted(([a, one], [b, other]) => (one.order ?? 0) - (other.order ?? 0) || (a < b ? -1 : 1))
    .map(([id]) => id);
}

/** Columns whose masks apply in another order than before. */
function reordered({ before, after }: Comparing): readonly Line[] {
  const columns = new Set(Object.values(after.masks).flatMap(columnsOf));
  return [...columns].toSorted().flatMap((on) => {
    const [old, now] = [chainOf(before, on), chainOf(after, on)];
    const was = old.filter((id) => now.includes(id));
    const is = now.filter((id) => old.includes(id));
    if (was.join('\n') === is.join('\n')) return [];
    const said = widens('each applies to what the one before it gives: nobody can tell what they show');
    return [
      {
        path: pointer('masks', is[0] ?? '', 'order'),
        subject: `the order of masks on \`${on}\``,
        before: was.join(', '),
        after: is.join(', '),
        ...said,
      },
    ];
  });
}

async function changed(
  comparing: Comparing,
  id: string,
  old: BoundaryMask,
  now: BoundaryMask,
): Promise<readonly Line[]> {
  const kept = columnsOf(now).filter((on) => columnsOf(old).includes(on));
  const retyped = kept.find(
    (on) => stays(comparing, on) && typeOf(comparing.before, on) !== typeOf(comparing.after, on),
  );
  const shows = retyped === undefined ? await otherText(comparing, id, old, now, kept) : null;
  const type = widens(`\`${retyped}\` is of another type: nobody can tell what the mask shows of it`);
  const lines = members({ path: ['masks', id], subject: `mask \`${id}\`` }, old, now, {
    description: described(),
    with: { name: '', means: () => shows ?? type },
    columns: {
      name: '',
      means: () => [
        ...without(columnsOf(now), columnsOf(old)).map((on) =>
          line(id, on, null, now.with, covered(comparing, id, now, on)),
        ),
        ...without(columnsOf(old), columnsOf(now)).map((on) =>
          line(id, on, old.with, null, uncovered(comparing, id, on)),
        ),
        ...(kept.join() ===
        columnsOf(old)
          .filter((on) => kept.includes(on))
          .join()
          ? []
          : [line(id, kept.join(', '), null, null, changes('the same columns are listed in another order'))]),
      ],
    },
    tag: { name: 'the tag', means: (was, is) => retagged(comparing, was, is) },
    order: {
      name: 'the order',
      means: () => changes('what it means for a column with several masks has its own line'),
    },
    claims: { name: 'the claims', means: () => shows ?? type },
  });
  if (retyped === undefined || lines.some((one) => one.path === pointer('masks', id, 'with'))) return lines;
  return [
    ...lines,
    { path: pointer('masks', id), subject: `mask \`${id}\``, before: old.with, after: now.with, ...type },
  ];
}

/** What it means that a mask makes something else of a value. */
async function otherText(
  comparing: Comparing,
  id: string,
  old: BoundaryMask,
  now: BoundaryMask,
  kept: readonly string[],
): Promise<Said> {
  if (old.with.trim() === now.with.trim()) return changes('it says the same');
  if (kept.length === 0) return narrows('it covers none of the columns that it covered');
  if (without(old.claims, now.claims).length > 0)
    return widens('who lacks a claim that it named was refused, and is not any more');
  if (kept.every((on) => alwaysOne(comparing, id, now, on))) return narrows(ONE_VALUE);
  const answers = await Promise.all(kept.map((on) => shownOf(comparing, old, now, on)));
  const open = answers.find(({ answer }) => answer !== 'yes');
  if (open === undefined) return narrows(answers[0]?.reason ?? '');
  if (open.answer === 'no') return widens(`it shows more of ${quoted(kept)}: ${open.reason}`);
  return widens(`nobody can tell whether it shows more of ${quoted(kept)}: ${open.reason}`);
}

/** Whether what a mask shows of a column follows from what it showed. */
async function shownOf(comparing: Comparing, old: BoundaryMask, now: BoundaryMask, on: string): Promise<Implied> {
  const at = on.indexOf('.');
  const chains = [comparing.before, comparing.after].map((boundary) => chainOf(boundary, on));
  if (chains.some((chain) => chain.length > 1))
    return { answer: 'cannot tell', reason: 'behind or before other masks, what it shows is not what is seen' };
  const [was, is] = [textOn(comparing, old, on), textOn(comparing, now, on)];
  const elsewhere = otherColumn(comparing, on, was) ?? otherColumn(comparing, on, is);
  if (elsewhere !== null) return { answer: 'cannot tell', reason: elsewhere };
  const table = on.slice(0, at);
  return comparing.oracle.coarsens(around(comparing, table), on.slice(at + 1), was, is);
}

/** Policies that exempt from masks by their tag follow it. */
function retagged(comparing: Comparing, was: string | null, is: string | null): Said {
  const tags = [was, is].filter((tag) => tag !== null);
  const said = tags.map((id) => seenByPolicies(comparing, { entity: { type: 'Tag', id } }, 'no policy names the tag'));
  return said.find(({ effect }) => effect === 'widens') ?? changes('no policy names the tag');
}
