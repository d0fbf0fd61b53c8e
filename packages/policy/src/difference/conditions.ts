import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';
import { canonicalize } from '@ambit/contract';
import type { EntityRef } from '../policies.ts';

/** A piece of a policy in Cedar's JSON. */
export type Part = unknown;

/** A condition that is true or false by itself. */
export interface Atom {
  /** The same for what means the same: `a == b` is `b == a`. */
  readonly text: string;
  readonly part: Part;
  readonly negated: boolean;
}

/** Conditions of a policy: all must hold, of each at least one atom. */
export type Conditions = readonly (readonly Atom[])[];

/** `when` and `unless` as one list of conditions. */
export function conditionsOf({ conditions }: Pick<PolicyJson, 'conditions'>): Conditions {
  return conditions.flatMap(({ kind, body }) => all(body, kind === 'unless'));
}

/** Whether whatever meets the first meets the second. False where that cannot be told. */
export function stronger(one: Conditions, other: Conditions): boolean {
  return other.every((wanted) =>
    one.some((given) => given.every((atom) => wanted.some(({ text }) => text === atom.text))),
  );
}

/** What must all hold for a part to be true, or false. */
function all(part: Part, negated: boolean): Conditions {
  const both = inside(part, negated ? '||' : '&&');
  if (both !== null) return [...all(both.left, negated), ...all(both.right, negated)];
  const not = inside(part, '!');
  if (not !== null) return all(not.arg, !negated);
  return [any(part, negated)];
}

/** What makes a part true, or false, each alone. */
function any(part: Part, negated: boolean): readonly Atom[] {
  const either = inside(part, negated ? '&&' : '||');
  if (either !== null) return [...any(either.left, negated), ...any(either.right, negated)];
  const not = inside(part, '!');
  if (not !== null) return any(not.arg, !negated);
  return (negated ? [part] : spread(part)).map((one) => ({
    text: `${negated ? '!' : ''}${textOf(one)}`,
    part: one,
    negated,
  }));
}

/** `[a, b].contains(x)` is `x == a || x == b`, and `x in [a, b]` is `x in a || x in b`. */
function spread(part: Part): readonly Part[] {
  const contains = inside(part, 'contains');
  const words = contains === null ? null : elements(contains.left);
  if (contains !== null && words !== null)
    return words.map((word) => ({ '==': { left: contains.right, right: word } }));
  const within = inside(part, 'in');
  const places = within === null ? null : elements(within.right);
  if (within !== null && places !== null) return places.map((place) => ({ in: { left: within.left, right: place } }));
  return [part];
}

function elements(part: Part): readonly Part[] | null {
  const set = (part as { readonly Set?: unknown } | null)?.Set;
  return Array.isArray(set) && set.length > 0 ? set : null;
}

function textOf(part: Part): string {
  const equal = inside(part, '==');
  if (equal === null) return canonicalize(part);
  return [canonicalize(equal.left), canonicalize(equal.right)].toSorted().join(' == ');
}

/** The entity that a part is, if it is one. */
export function entityOf(part: Part): EntityRef | undefined {
  const value = (part as { readonly Value?: Readonly<Record<string, unknown>> } | null)?.Value;
  return value?.['__entity'] as EntityRef | undefined;
}

interface Operands {
  readonly left?: Part;
  readonly right?: Part;
  readonly arg?: Part;
}

/** The operands of a part that is this operation, else null. */
export function inside(part: Part, operation: string): Operands | null {
  if (part === null || typeof part !== 'object' || !Object.hasOwn(part, operation)) return null;
  return (part as Readonly<Record<string, Operands>>)[operation] ?? null;
}
