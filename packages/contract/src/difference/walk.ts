import { canonicalize } from '../canonical.ts';
import { type Line, pointer, type Said, widens } from './line.ts';

/** Where something stands and what it is called. */
export interface Place {
  readonly path: readonly string[];
  readonly subject: string;
}

/** A rule for each member of a type, those that may be absent included: a member without one does not compile. */
export type Rules<T> = { readonly [Member in keyof T]-?: Rule<T[Member]> };

/** What it means that a member differs. `name` is the member in an owner's words. */
export interface Rule<V> {
  readonly name: string;
  readonly means: (before: V, after: V) => Said | readonly Line[];
}

/** Whether two values are one. What is absent is not null. */
export function same(one: unknown, other: unknown): boolean {
  return canonical(one) === canonical(other);
}

function canonical(value: unknown): string {
  return value === undefined ? '' : canonicalize(value);
}

/** Lines for every member that differs. One that no rule knows may be anything, and so widens. */
export function members<T extends object>(place: Place, before: T, after: T, rules: Rules<T>): readonly Line[] {
  const names = new Set([...Object.keys(rules), ...Object.keys(before), ...Object.keys(after)]) as Set<
    keyof T & string
  >;
  return [...names].flatMap((member) => {
    const [old, now] = [before[member], after[member]];
    if (same(old, now)) return [];
    const rule = Object.hasOwn(rules, member) ? rules[member] : unknownMember;
    const said = rule.means(old, now);
    if (!('effect' in said)) return said;
    const subject = rule.name === '' ? place.subject : `${rule.name || member} of ${place.subject}`;
    return [{ path: pointer(...place.path, member), subject, before: shown(old), after: shown(now), ...said }];
  });
}

const unknownMember: Rule<unknown> = {
  name: 'something unknown',
  means: () => widens('this version of ambit has no rule for it, so nobody can tell'),
};

/** What is in both, with lines for what is in one. */
export interface Named<V> {
  readonly place: (name: string, value: V) => Place;
  /** How one is told in a word or two. */
  readonly text: (value: V) => string;
  readonly added: (value: V, name: string) => Said | readonly Line[];
  readonly removed: (value: V, name: string) => Said | readonly Line[];
  readonly changed: (before: V, after: V, name: string) => readonly Line[];
}

/** Lines for two maps by name. */
export function named<V>(
  before: Readonly<Record<string, V>>,
  after: Readonly<Record<string, V>>,
  { place, text, added, removed, changed }: Named<V>,
): readonly Line[] {
  const lines: Line[] = [];
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [old, now] = [own(before, name), own(after, name)];
    if (old !== undefined && now !== undefined) {
      if (!same(old, now)) lines.push(...changed(old, now, name));
      continue;
    }
    const value = (old ?? now) as V;
    const said = old === undefined ? added(value, name) : removed(value, name);
    if (!('effect' in said)) {
      lines.push(...said);
      continue;
    }
    const { path, subject } = place(name, value);
    const [was, is] = old === undefined ? [null, text(value)] : [text(value), null];
    lines.push({ path: pointer(...path), subject, before: was, after: is, ...said });
  }
  return lines;
}

/** What a map holds under a name, and nothing that it inherits. */
export function own<V>(map: Readonly<Record<string, V>>, name: string): V | undefined {
  return Object.hasOwn(map, name) ? map[name] : undefined;
}

/** A value as text. */
export function shown(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  return typeof value === 'string' ? value : canonicalize(value);
}

/** Words that are in one list and not in another. */
export function without(words: readonly string[], others: readonly string[]): readonly string[] {
  return words.filter((word) => !others.includes(word));
}
