import type { Boundary } from '../boundary.ts';
import { fingerprint } from '../canonical.ts';
import {
  type Comparing,
  type Difference,
  type Effect,
  type Line,
  type Oracle,
  pointer,
  type Side,
  widens,
} from './line.ts';
import { nothing } from './nothing.ts';
import { dependent, type MemberRule, rules } from './rules.ts';
import { same, shown } from './walk.ts';

/** What differs between two boundaries of a product; null: between nothing and its first. Every difference has a line. */
export async function difference(before: Boundary | null, after: Boundary, oracle: Oracle): Promise<Difference> {
  const comparing = { before: before ?? nothing(after), after, oracle };
  const lines = [...(before === null ? [first(after)] : []), ...(await allLines(comparing))].toSorted(inOrder);
  return {
    format: 'ambit/difference/v1',
    product: after.product.name,
    before: before === null ? null : sideOf(before),
    after: sideOf(after),
    effect: overall(lines),
    lines,
  };
}

function sideOf(boundary: Boundary): Side {
  const { product, environment } = boundary;
  return { fingerprint: fingerprint(boundary), version: product.version, environment };
}

function first({ product }: Boundary): Line {
  const subject = `product \`${product.name}\``;
  return { path: '', subject, before: null, after: product.version, ...widens('nothing of it was served before') };
}

async function allLines(comparing: Comparing): Promise<readonly Line[]> {
  const { before, after } = comparing;
  const names = new Set([...Object.keys(rules), ...Object.keys(before), ...Object.keys(after)]) as Set<keyof Boundary>;
  const lines: Line[] = [];
  for (const member of names) lines.push(...(await memberLines(comparing, member)));
  return lines;
}

async function memberLines(comparing: Comparing, member: keyof Boundary): Promise<readonly Line[]> {
  const [before, after] = [comparing.before[member], comparing.after[member]];
  const differs = !same(before, after);
  if (!differs && !dependent.includes(member)) return [];
  if (Object.hasOwn(rules, member)) {
    // Which member it is, only the table of rules knows: rule and values are of the same one.
    const lines = await (rules[member] as MemberRule<unknown>)(comparing, before, after);
    if (lines.length > 0 || !differs) return lines;
  }
  const unknown = widens('this version of ambit has no rule for what differs, so nobody can tell');
  return [{ path: pointer(member), subject: `\`${member}\``, before: shown(before), after: shown(after), ...unknown }];
}

const EFFECTS: readonly Effect[] = ['widens', 'changes', 'narrows'];

/** What an owner must look at. */
function overall(lines: readonly Line[]): Difference['effect'] {
  return EFFECTS.find((effect) => lines.some((line) => line.effect === effect)) ?? 'same';
}

function inOrder(one: Line, other: Line): number {
  const key = ({ effect, path, subject, reason }: Line) => [EFFECTS.indexOf(effect), path, subject, reason] as const;
  const [a, b] = [key(one), key(other)];
  for (const [at, value] of a.entries()) {
    const against = b[at] as typeof value;
    if (value !== against) return value < against ? -1 : 1;
  }
  return 0;
}
