import type { Boundary, ProductDeprecation, ProductIdentity, Scope } from '../boundary.ts';
import { changes, type Comparing, type Line, type Named, narrows, pointer, quoted, type Said, widens } from './line.ts';
import { ownerLines } from './owner.ts';
import { members, named, type Rule, type Rules, same, shown, without } from './walk.ts';

// Who may come, why, and what is known of them.

/** Another text that only people read. */
export function described(name = 'the description'): Rule<string> {
  return { name, means: () => changes('what people read of it is another text') };
}

/** Something that policies can see has changed: those that name it may decide otherwise. */
export function seenByPolicies({ before, after, oracle }: Comparing, what: Named, otherwise: string): Said {
  const found = [before, after].flatMap((boundary) => oracle.policies.naming(boundary, what).map(({ id }) => id));
  const ids = [...new Set(found)].toSorted();
  if (ids.length === 0) return changes(otherwise);
  return widens(`${policies(ids)} it, and nobody can tell whom that admits`);
}

function policies(ids: readonly string[]): string {
  return ids.length === 1 ? `policy ${quoted(ids)} depends on` : `policies ${quoted(ids)} depend on`;
}

export function productLines(comparing: Comparing, before: ProductIdentity, after: ProductIdentity): readonly Line[] {
  const seen = (attribute: string, otherwise: string): Said => seenByPolicies(comparing, { attribute }, otherwise);
  const place = { path: ['product'], subject: `product \`${after.name}\`` };
  return members(place, before, after, {
    name: { name: 'the name', means: () => widens('it is another product: nobody can tell what its policies meant') },
    version: { name: 'the version', means: () => seen('version', 'it is another version; no policy depends on it') },
    tenant: { name: 'the owning tenant', means: () => seen('tenant', 'another tenant owns it') },
    description: described(),
    deprecation: { name: 'the end of the version', means: (old, now) => ends(old, now) },
    owner: { name: 'the owner', means: (old, now) => ownerLines(place.subject, old, now) },
  });
}

/** A version that ends later, or not at all, is served for longer. */
function ends(before: ProductDeprecation | undefined, after: ProductDeprecation | undefined): Said {
  const [was, is] = [before?.sunset ?? null, after?.sunset ?? null];
  if (was === is) return changes('it ends as it did; what people are told of that is another');
  if (was === null || (is !== null && is < was)) return narrows('it is refused from an earlier day on');
  return widens('it is served for longer');
}

/** Lines for two lists of words. Another order of the same words is a change of its own. */
function wordLines(
  before: readonly string[],
  after: readonly string[],
  on: {
    readonly place: (word: string) => { readonly path: readonly string[]; readonly subject: string };
    readonly added: (word: string) => Said;
    readonly removed: (word: string) => Said;
  },
): readonly Line[] {
  const line = (word: string, added: boolean): Line => {
    const { path, subject } = on.place(word);
    const [was, is] = added ? [null, word] : [word, null];
    return { path: pointer(...path), subject, before: was, after: is, ...(added ? on.added(word) : on.removed(word)) };
  };
  const lines = [
    ...without(after, before).map((word) => line(word, true)),
    ...without(before, after).map((word) => line(word, false)),
  ];
  if (lines.length > 0 || same(before, after)) return lines;
  const { path, subject } = on.place('');
  const again = changes('the same words stand in another order or number');
  return [
    {
      path: pointer(...path),
      subject: subject.replace(' ``', 's'),
      before: shown(before),
      after: shown(after),
      ...again,
    },
  ];
}

export function purposeLines(before: Boundary['purposes'], after: Boundary['purposes']): readonly Line[] {
  const place = (name: string) => ({ path: ['purposes', name], subject: `purpose \`${name}\`` });
  return named(before, after, {
    place,
    text: ({ description }) => description,
    added: () =>
      widens('sessions can be opened for one more purpose, by whoever a policy admits without naming others'),
    removed: () => narrows('no session can be opened for it any more'),
    changed: (old, now, name) => members(place(name), old, now, { description: described() }),
  });
}

export function claimLines(
  comparing: Comparing,
  before: Boundary['claims'],
  after: Boundary['claims'],
): readonly Line[] {
  const place = (name: string) => ({ path: ['claims', name], subject: `claim \`${name}\`` });
  const seen = (name: string, otherwise: string): Said => {
    const sql = usersOf(comparing, name);
    if (sql.length > 0) return widens(`${sql.join(', ')} depend on it, and nobody can tell what they let through`);
    return seenByPolicies(comparing, { attribute: name }, otherwise);
  };
  return named(before, after, {
    place,
    text: ({ type }) => type,
    added: (_, name) =>
      seenByPolicies(
        comparing,
        { attribute: name },
        'it can be named of a subject; what names it has lines of its own',
      ),
    removed: (_, name) =>
      seenByPolicies(comparing, { attribute: name }, 'it can no longer be named of a subject; no policy named it'),
    changed: (old, now, name) =>
      members(place(name), old, now, {
        type: { name: 'the type', means: () => seen(name, 'nothing depends on it') },
        description: described(),
      }),
  });
}

/** Row filters and masks that name a claim, in words. */
function usersOf({ before, after }: Comparing, claim: string): readonly string[] {
  const kinds = [
    ['row filter', before.rowFilters, after.rowFilters],
    ['mask', before.masks, after.masks],
  ] as const;
  return kinds.flatMap(([kind, old, now]) => {
    const users = [...Object.entries(old), ...Object.entries(now)].filter(([, { claims }]) => claims.includes(claim));
    return [...new Set(users.map(([name]) => name))].toSorted().map((name) => `${kind} \`${name}\``);
  });
}

export function anonymousLines(before: Boundary['anonymous'], after: Boundary['anonymous']): readonly Line[] {
  const place = { path: ['anonymous'], subject: 'requests without a credential' };
  if (before === null || after === null) {
    const said =
      before === null
        ? widens('they are admitted, as far as a policy permits')
        : narrows('they are refused: everybody needs a credential');
    return [{ path: '/anonymous', subject: place.subject, before: shown(before), after: shown(after), ...said }];
  }
  return members(place, before, after, {
    purposes: {
      name: 'a purpose',
      means: (old, now) =>
        wordLines(old, now, {
          place: (word) => ({ path: ['anonymous', 'purposes'], subject: `purpose \`${word}\` of ${place.subject}` }),
          added: () => widens('they may name one more purpose'),
          removed: () => narrows('they may name one purpose less'),
        }),
    },
    claims: {
      name: 'the claims',
      means: () => widens('what policies and row filters know of them is otherwise: nobody can tell what they see'),
    },
  });
}

const SCOPES: readonly Scope[] = ['request', 'conversation', 'purpose', 'product', 'tenant'];

export function sessionLines(before: Boundary['session'], after: Boundary['session']): readonly Line[] {
  const scope: Rule<Scope>['means'] = (old, now) =>
    SCOPES.indexOf(now) > SCOPES.indexOf(old)
      ? widens('a session may be shared with more, for longer')
      : narrows('a session may be shared with fewer, for a shorter time');
  const rules: Rules<Boundary['session']> = {
    scope: { name: 'how far they are shared', means: scope },
    maxScope: { name: 'how far they may be shared', means: scope },
  };
  return members({ path: ['session'], subject: 'sessions' }, before, after, rules);
}
