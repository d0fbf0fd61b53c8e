import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';
import type { EntityRef } from '../policies.ts';
import { conditionsOf, stronger } from './conditions.ts';

/** Where a policy holds: principal or resource. */
export interface Scope {
  readonly op: 'All' | '==' | 'in' | 'is';
  readonly entity: EntityRef | null;
  readonly type: string | null;
}

/** Parts of a policy, as an owner reads them. */
export const PARTS = ['who', 'what may be done', 'with what', 'when'] as const;

/** Parts in which the first policy reaches no further than the second. A part that is not among them may reach further. */
export function within(one: PolicyJson, other: PolicyJson): readonly (typeof PARTS)[number][] {
  const holds = {
    who: scopeWithin(scopeOf(one.principal), scopeOf(other.principal)),
    'what may be done': actionsWithin(one, other),
    'with what': scopeWithin(scopeOf(one.resource), scopeOf(other.resource)),
    when: stronger(conditionsOf(one), conditionsOf(other)),
  };
  return PARTS.filter((part) => holds[part]);
}

/** A scope of Cedar's JSON. */
export function scopeOf(json: PolicyJson['principal'] | PolicyJson['resource']): Scope {
  const {
    op,
    entity,
    entity_type,
    in: place,
  } = json as {
    readonly op: Scope['op'];
    readonly entity?: EntityRef;
    readonly entity_type?: string;
    readonly in?: { readonly entity?: EntityRef };
  };
  return { op, entity: entity ?? place?.entity ?? null, type: entity_type ?? null };
}

/** Names of the actions that a policy is for; null: all. */
export function actionsOf({ action }: PolicyJson): readonly string[] | null {
  if (action.op === 'All') return null;
  const { entity, entities } = action as { readonly entity?: EntityRef; readonly entities?: readonly EntityRef[] };
  return [...(entities ?? []), ...(entity === undefined ? [] : [entity])].map(({ id }) => id);
}

function actionsWithin(one: PolicyJson, other: PolicyJson): boolean {
  const [some, most] = [actionsOf(one), actionsOf(other)];
  return most === null || (some !== null && some.every((action) => most.includes(action)));
}

function scopeWithin(one: Scope, other: Scope): boolean {
  const { op, entity, type } = other;
  if (op === 'All') return true;
  const isOf = type === null || one.type === type || (one.op === '==' && one.entity?.type === type);
  if (op === '==') return one.op === '==' && isSame(one.entity, entity);
  return isOf && (entity === null || (one.entity !== null && entityWithin(one.entity, entity)));
}

function isSame(one: EntityRef | null, other: EntityRef | null): boolean {
  return one?.type === other?.type && one?.id === other?.id;
}

/** As far as names tell: a column is in its table, everything in the product. */
function entityWithin(inner: EntityRef, outer: EntityRef): boolean {
  if (isSame(inner, outer)) return true;
  if (inner.type === 'Column' && outer.type === 'Table') return inner.id.startsWith(`${outer.id}.`);
  const inProduct = ['Tag', 'Table', 'Column', 'View', 'Function', 'RowFilter', 'Mask'];
  return outer.type === 'Product' && inProduct.includes(inner.type);
}
