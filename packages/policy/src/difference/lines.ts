import { type Boundary, canonicalize, changes, type Line, narrows, pointer, type Said, widens } from '@ambit/contract';
import type { Policy } from '../policies.ts';
import { policiesOf } from './naming.ts';
import { PARTS, within } from './scope.ts';
import { listed, sentence } from './words.ts';

/** What differs between the policies of two boundaries: a line for each policy, and for each text that says the same. */
export function policyLines(before: Boundary, after: Boundary): readonly Line[] {
  const [old, now] = [policiesOf(before), policiesOf(after)];
  if (old.unreadable.length + now.unreadable.length > 0) return texts(before, after, [], UNREADABLE);
  const lines = [...renamed(old.policies, now.policies), ...each(old.policies, now.policies, before, after)];
  return [...lines, ...texts(before, after, lines, SPELLING)];
}

const UNREADABLE = widens('its policies cannot be read, so nobody can tell what they permit');
const SPELLING = changes('comments or spelling differ; every policy in it says the same');

/** Files whose text differs and of which no line tells. */
function texts(before: Boundary, after: Boundary, told: readonly Line[], said: Said): readonly Line[] {
  const files = new Set([...Object.keys(before.policies), ...Object.keys(after.policies)]);
  return [...files].flatMap((file) => {
    const path = pointer('policies', file);
    const [old, now] = [textOf(before, file), textOf(after, file)];
    if (old === now || told.some((one) => one.path === path)) return [];
    return [{ path, subject: `policy file \`${file}\``, before: old, after: now, ...said }];
  });
}

function textOf({ policies }: Boundary, file: string): string | null {
  return Object.hasOwn(policies, file) ? (policies[file] ?? null) : null;
}

/** What a policy says, whatever it is called. */
function meaningOf({ json: { annotations: _id, ...rest } }: Policy): string {
  return canonicalize(rest);
}

/** Policies that are in one only, and in the other under another name. */
function pairs(old: readonly Policy[], now: readonly Policy[]): readonly (readonly [Policy, Policy])[] {
  const free = now.filter(({ id }) => old.every((one) => one.id !== id));
  return old.flatMap((policy) => {
    if (now.some(({ id }) => id === policy.id)) return [];
    const at = free.findIndex((one) => meaningOf(one) === meaningOf(policy));
    return at < 0 ? [] : free.splice(at, 1).map((other) => [policy, other] as const);
  });
}

function renamed(old: readonly Policy[], now: readonly Policy[]): readonly Line[] {
  return pairs(old, now).map(([was, is]) => ({
    path: pointer('policies', is.file),
    subject: `policy \`${nameOf(is)}\``,
    before: was.id,
    after: is.id,
    ...changes('it has another name, by which the evidence tells it, and says the same'),
  }));
}

function each(old: readonly Policy[], now: readonly Policy[], before: Boundary, after: Boundary): readonly Line[] {
  const paired = new Set(pairs(old, now).flat());
  const lines: Line[] = [];
  for (const policy of old) {
    const other = now.find(({ id }) => id === policy.id);
    if (other === undefined && !paired.has(policy)) lines.push(line(policy, policy, null, removed(policy, before)));
    if (other !== undefined && meaningOf(other) !== meaningOf(policy))
      lines.push(line(other, policy, other, changed(policy, other, before, after)));
  }
  for (const policy of now) {
    if (old.some(({ id }) => id === policy.id) || paired.has(policy)) continue;
    lines.push(line(policy, null, policy, added(policy, after)));
  }
  return lines;
}

function line(policy: Policy, was: Policy | null, is: Policy | null, said: Said): Line {
  const path = pointer('policies', policy.file);
  return { path, subject: `policy \`${nameOf(policy)}\``, before: was?.text ?? null, after: is?.text ?? null, ...said };
}

function nameOf({ id }: Policy): string {
  return id.slice(id.indexOf('#') + 1);
}

function added(policy: Policy, boundary: Boundary): Said {
  const told = sentence(policy, boundary);
  return policy.json.effect === 'permit' ? widens(told) : narrows(told);
}

function removed(policy: Policy, boundary: Boundary): Said {
  const told = sentence(policy, boundary, 'ended');
  return policy.json.effect === 'permit' ? narrows(told) : widens(told);
}

/** A permit that reaches less far narrows, a forbid widens; where neither can be told, it widens. */
function changed(old: Policy, now: Policy, before: Boundary, after: Boundary): Said {
  const [was, is] = [sentence(old, before), sentence(now, after)];
  const told = was === is ? is : `${is} (before: ${was})`;
  if (old.json.effect !== now.json.effect)
    return now.json.effect === 'forbid' ? narrows(`it forbids now: ${told}`) : widens(`it permits now: ${told}`);
  const [less, more] = [within(now.json, old.json), within(old.json, now.json)];
  const isLess = less.length === PARTS.length;
  const isMore = more.length === PARTS.length;
  if (isLess && isMore) return changes(`it says the same in other words: ${is}`);
  const word = now.json.effect === 'permit' ? 'permits' : 'forbids';
  const parts = listed(PARTS.filter((part) => !less.includes(part) || !more.includes(part)));
  if (isLess) return (word === 'permits' ? narrows : widens)(`it ${word} less (${parts}): ${told}`);
  if (isMore) return (word === 'permits' ? widens : narrows)(`it ${word} more (${parts}): ${told}`);
  return widens(`nobody can tell whether it ${word} more (${parts}): ${told}`);
}
