import type { Boundary } from '@ambit/contract';
import type { EntityRef, Policy } from '../policies.ts';
import { conditionsOf, entityOf, inside, type Part } from './conditions.ts';
import { governorsOf } from './naming.ts';
import { actionsOf, scopeOf } from './scope.ts';

/** What a policy says, or what it means that it no longer says it: in an owner's words, a sentence without its end. */
export function sentence(policy: Policy, boundary: Boundary, now: 'holds' | 'ended' = 'holds'): string {
  const { json } = policy;
  const who = whoOf(policy);
  const when = whenOf(policy);
  const actions = actionsOf(json);
  const told: string[] = [];
  const others = actions?.filter((action) => action !== 'exempt') ?? null;
  if (json.effect === 'permit' && actions?.includes('exempt') === true) {
    const governors = governorsOf(policy, boundary);
    const [one, more] = now === 'holds' ? ['no longer holds', 'no longer hold'] : ['holds again', 'hold again'];
    const hold = governors.length === 1 ? one : more;
    told.push(
      governors.length === 0 ? `it lifts nothing for ${who}` : `${listed(governors)} ${hold} for ${who}${when}`,
    );
  }
  if (json.effect === 'forbid' && actions?.includes('exempt') === true)
    told.push(`${who} ${now === 'holds' ? 'cannot' : 'can'} be exempted from ${withWhat(policy)}${when}`);
  if (others === null || others.length > 0) {
    told.push(`${who} ${MAY[json.effect][now]} ${doing(others)} ${withWhat(policy)}${when}`);
  }
  return told.join('; ');
}

const MAY = {
  permit: { holds: 'may', ended: 'may no longer, by this policy,' },
  forbid: { holds: 'may not', ended: 'may, if a policy permits it,' },
} as const;

/** Whom a policy is for. */
function whoOf({ json }: Policy): string {
  const { op, entity, type } = scopeOf(json.principal);
  const kinds: Readonly<Record<string, string>> = {
    User: 'users',
    Service: 'services',
    Agent: 'agents',
    Anonymous: 'requests without a credential',
  };
  const kind = type === null ? 'everyone' : (kinds[type] ?? type);
  if (op === 'All' || entity === null) return kind;
  const [tenant = '', ...rest] = entity.id.split('/');
  const name = `\`${rest.join('/')}\` of tenant \`${tenant}\``;
  if (entity.type === 'Role') return type === null ? `role ${name}` : `${kind} in role ${name}`;
  return `${entity.type.toLowerCase()} ${name}`;
}

const VERBS: Readonly<Record<string, string>> = {
  open: 'open sessions on',
  read: 'read',
  call: 'call functions of',
  explain: 'explain plans of',
  readEvidence: 'read all of the evidence of',
  review: 'review',
};

function doing(actions: readonly string[] | null): string {
  return actions === null ? 'do anything with' : listed(actions.map((action) => VERBS[action] ?? action));
}

/** What a policy is about. */
function withWhat(policy: Policy): string {
  const { op, entity, type } = scopeOf(policy.json.resource);
  const within = conditionsOf(policy.json).flatMap((atoms) => {
    const words = atoms.map(({ part, negated }) => (negated ? null : resourceWords(part)));
    return words.every((word) => word !== null) ? [words.join(' or ')] : [];
  });
  const kind = type === null ? '' : `${wordOf(type)}s of `;
  const scope = entity === null || op === 'All' ? `${kind}the product` : `${kind}${entityWords(entity)}`;
  return within.length === 0 ? scope : within.join(' and ');
}

function resourceWords(part: Part): string | null {
  for (const operation of ['==', 'in']) {
    const { left, right } = inside(part, operation) ?? {};
    const entity = entityOf(right);
    if ((left as { readonly Var?: string } | null)?.Var === 'resource' && entity !== undefined)
      return entityWords(entity);
  }
  return null;
}

function entityWords({ type, id }: EntityRef): string {
  return type === 'Product' ? 'the product' : `${wordOf(type)} \`${id}\``;
}

function wordOf(type: string): string {
  return type === 'RowFilter' ? 'row filter' : type.toLowerCase();
}

/** When a policy holds, as far as it is simple. */
function whenOf({ json }: Policy): string {
  const told: string[] = [];
  let more = false;
  for (const atoms of conditionsOf(json)) {
    if (atoms.every(({ part, negated }) => !negated && resourceWords(part) !== null)) continue;
    const words = atoms.map(({ part, negated }) => (negated ? null : contextWords(part)));
    if (words.every((word) => word !== null)) told.push(words.join(' or '));
    else more = true;
  }
  const under = more ? ['under conditions that only its text tells'] : [];
  return [...told, ...under].map((words) => `, ${words}`).join('');
}

function contextWords(part: Part): string | null {
  const { left, right } = inside(part, '==') ?? {};
  const attribute = inside(left, '.') as { readonly left?: { readonly Var?: string }; readonly attr?: string } | null;
  const word = (right as { readonly Value?: unknown } | null)?.Value;
  if (attribute?.left?.Var !== 'context' || typeof word !== 'string') return null;
  if (attribute.attr === 'purpose') return `for purpose \`${word}\``;
  if (attribute.attr === 'channel') return `over channel \`${word}\``;
  return attribute.attr === 'environment' ? `in environment \`${word}\`` : null;
}

/** `a, b and c`. */
export function listed(words: readonly string[]): string {
  if (words.length < 2) return words.join('');
  return `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}
