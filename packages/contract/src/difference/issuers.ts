import type { Boundary, BoundaryIssuer } from '../boundary.ts';
import { type Line, narrows, type Said, widens } from './line.ts';
import { members, named, type Rules, without } from './walk.ts';

// Whose word is taken for who asks. A policy trusts a subject as far as whoever says that it is the subject.

export function issuerLines(before: Boundary['issuers'] = {}, after: Boundary['issuers'] = {}): readonly Line[] {
  const place = (name: string) => ({ path: ['issuers', name], subject: `issuer \`${name}\`` });
  return named(before, after, {
    place,
    text: ({ tenant, audience }) => `tenant ${tenant}, audience ${audience}`,
    added: ({ tenant }) => widens(`its tokens are taken for whoever asks of tenant \`${tenant}\``),
    removed: () => narrows('its tokens are refused'),
    changed: (old: BoundaryIssuer, now: BoundaryIssuer, name) => members(place(name), old, now, rules),
  });
}

/** What a claim says of who asks, policies and row filters go by. */
const otherSubject = (what: string): { readonly name: string; readonly means: () => Said } => ({
  name: what,
  means: () => widens('the same token is taken for another subject, and nobody can tell whom policies then admit'),
});

/** Types that are taken where none is named. */
const USUAL: readonly string[] = ['jwt', 'at+jwt'];

const rules: Rules<BoundaryIssuer> = {
  audience: { name: 'the audience', means: () => widens('tokens that were made for others are taken') },
  jwks: { name: 'the keys', means: () => widens('whoever has other keys can say who asks') },
  algorithms: {
    name: 'the algorithms',
    means: (old, now) =>
      without(now, old).length === 0
        ? narrows('fewer kinds of signature are taken')
        : widens('more kinds of signature are taken'),
  },
  tenant: { name: 'the tenant', means: () => widens('it speaks for another tenant') },
  type: {
    name: 'the type of tokens',
    means: (old, now) =>
      old === null && USUAL.includes(now?.toLowerCase() ?? '')
        ? narrows('tokens of fewer types are taken')
        : widens('tokens that were made for another use are taken'),
  },
  principal: otherSubject('the claim of the principal'),
  roles: otherSubject('the claim of the roles'),
  kind: otherSubject('the claim of the kind'),
  claims: otherSubject('the mapping of claims'),
};
