import type { Boundary, Named, NamingPolicy } from '@ambit/contract';
import type { EntityRef, Policy } from '../policies.ts';
import { mentioned, readPolicies } from '../policies.ts';
import { type Atom, conditionsOf, entityOf, inside, type Part } from './conditions.ts';
import { actionsOf, scopeOf, type Scope } from './scope.ts';

/** Policies of a boundary, or those files of which nobody can tell what they say. */
export interface Read {
  readonly policies: readonly Policy[];
  readonly unreadable: readonly string[];
}

const kept = new WeakMap<Boundary, Read>();

/** The policies of a boundary. Read once. */
export function policiesOf(boundary: Boundary): Read {
  const known = kept.get(boundary);
  if (known !== undefined) return known;
  const { policies, problems } = readPolicies(boundary);
  const read =
    problems.length === 0 ? { policies, unreadable: [] } : { policies: [], unreadable: Object.keys(boundary.policies) };
  kept.set(boundary, read);
  return read;
}

/** Policies whose decisions could depend on an entity or an attribute. */
export function naming(boundary: Boundary, what: Named): readonly NamingPolicy[] {
  const { policies, unreadable } = policiesOf(boundary);
  const unclear = unreadable.map((id) => ({ id, effect: 'unclear' as const }));
  if ('attribute' in what)
    return [
      ...unclear,
      ...policies
        .filter(({ json }) => readsAttribute(json, what.attribute))
        .map(({ id }) => ({ id, effect: 'unclear' as const })),
    ];
  const isIt = ({ type, id }: EntityRef): boolean => type === what.entity.type && id === what.entity.id;
  const found = policies.flatMap(({ id, json }) => {
    const all = mentioned(json).filter(isIt).length;
    if (all === 0) return [];
    const plain =
      mentioned([json.principal, json.resource]).filter(isIt).length + plainly(conditionsOf(json)).filter(isIt).length;
    return [{ id, effect: plain === all ? json.effect : ('unclear' as const) }];
  });
  return [...unclear, ...found];
}

/** Entities that conditions ask the resource to be or to be in: with them a policy reaches further, not less far. */
function plainly(conditions: readonly (readonly Atom[])[]): readonly EntityRef[] {
  return conditions.flat().flatMap((atom) => resourceIn(atom)?.entity ?? []);
}

/** Whether a policy looks at an attribute of this name, or compares a record that could hold it as a whole. */
function readsAttribute(part: Part, attribute: string): boolean {
  if (Array.isArray(part)) return part.some((one) => readsAttribute(one, attribute));
  if (part === null || typeof part !== 'object') return false;
  if (isRecord(part)) return true;
  return Object.entries(part).some(([key, value]) => {
    // `has a.b` names both.
    if (key === 'attr' && (Array.isArray(value) ? value : [value]).includes(attribute)) return true;
    if (key !== '.' && key !== 'has') return readsAttribute(value, attribute);
    const { left, ...rest } = value as { readonly left?: Part };
    // Of a record only the member is looked at.
    if (isRecord(left)) return readsAttribute({ ...rest, left: isClaims(left) ? { Var: 'claims' } : null }, attribute);
    return readsAttribute(value, attribute);
  });
}

function isRecord(part: Part): boolean {
  return (part as { readonly Var?: string } | null)?.Var === 'context' || isClaims(part);
}

function isClaims(part: Part): boolean {
  return (inside(part, '.') as { readonly attr?: string } | null)?.attr === 'claims';
}

/** Policies that could exempt somebody from a row filter or mask. */
export function exempting(boundary: Boundary, kind: 'RowFilter' | 'Mask', id: string): readonly string[] {
  const { policies, unreadable } = policiesOf(boundary);
  return [
    ...unreadable,
    ...policies.filter((policy) => mayExempt(policy, boundary, { type: kind, id })).map((one) => one.id),
  ];
}

/** Row filters and masks from which a policy could exempt, in words. */
export function governorsOf(policy: Policy, boundary: Boundary): readonly string[] {
  const kinds = [
    ['RowFilter', 'row filter', boundary.rowFilters],
    ['Mask', 'mask', boundary.masks],
  ] as const;
  return kinds.flatMap(([type, word, all]) =>
    Object.keys(all)
      .toSorted()
      .filter((id) => mayExempt(policy, boundary, { type, id }))
      .map((id) => `${word} \`${id}\``),
  );
}

/** Whether a permit could cover this row filter or mask. False only where it cannot. */
function mayExempt({ json }: Policy, boundary: Boundary, governor: EntityRef): boolean {
  if (json.effect !== 'permit' || !(actionsOf(json) ?? ['exempt']).includes('exempt')) return false;
  if (!mayHold(scopeOf(json.resource), boundary, governor)) return false;
  return conditionsOf(json).every((atoms) =>
    atoms.some((atom) => {
      const scope = resourceIn(atom);
      return scope === null || mayHold(scope, boundary, governor);
    }),
  );
}

/** The scope that an atom gives the resource, if it is about nothing else. */
function resourceIn({ part, negated }: Atom): Scope | null {
  if (negated) return null;
  for (const op of ['==', 'in'] as const) {
    const { left, right } = inside(part, op) ?? {};
    const sides =
      op === '=='
        ? ([
            [left, right],
            [right, left],
          ] as const)
        : ([[left, right]] as const);
    for (const [one, other] of sides) {
      const entity = entityOf(other);
      if ((one as { readonly Var?: string } | null)?.Var === 'resource' && entity !== undefined)
        return { op, entity, type: null };
    }
  }
  return null;
}

function mayHold({ op, entity, type }: Scope, boundary: Boundary, governor: EntityRef): boolean {
  if (type !== null && type !== governor.type) return false;
  if (entity === null) return true;
  if (entity.type === governor.type && entity.id === governor.id) return true;
  if (op === '==') return false;
  if (entity.type === 'Product') return true;
  if (governor.type === 'RowFilter')
    return entity.type === 'Table' && boundary.rowFilters[governor.id]?.table === entity.id;
  return entity.type === 'Tag' && boundary.masks[governor.id]?.tag === entity.id;
}
