import type { Approvals, ProductIdentity, Signer } from '../boundary.ts';
import { changes, type Line, narrows, type Said, widens } from './line.ts';
import { members, named, type Place, type Rule, shown } from './walk.ts';

// Who answers for the product, and what it takes to approve what is served.

type Owner = ProductIdentity['owner'];

/** Lines for the owner. One person less of those who approve is no narrowing: the rest decide without them. */
export function ownerLines(subject: string, before: Owner, after: Owner): readonly Line[] {
  const path = ['product', 'owner'];
  return members({ path, subject }, before, after, {
    team: { name: 'the team', means: () => changes('another team answers for it') },
    reviewers: {
      name: 'the reviewers',
      means: signers('reviewers', 'reviewer', {
        added: widens('one more may approve what is served'),
        removed: widens('those who are left approve what is served without them'),
        changed: widens('others may approve in this name, or what counts as their own work is another'),
      }),
    },
    agents: {
      name: 'the agents',
      means: signers('agents', 'agent', {
        added: narrows('reviews with these keys never count'),
        removed: widens('reviews with these keys may count'),
        changed: widens('reviews with some of these keys may count'),
      }),
    },
    approvals: {
      name: 'what an approval takes',
      means: (old = {}, now = {}) => approvalLines({ path: [...path, 'approvals'], subject }, old, now),
    },
  });
}

function signers(
  member: string,
  noun: string,
  said: { readonly added: Said; readonly removed: Said; readonly changed: Said },
): (before: readonly Signer[] | undefined, after: readonly Signer[] | undefined) => readonly Line[] {
  const place = (name: string): Place => ({ path: ['product', 'owner', member, name], subject: `${noun} \`${name}\`` });
  const text = ({ keys, emails }: Signer): string => [...keys, ...emails].join('\n');
  return (before = [], after = []) =>
    named(byName(before), byName(after), {
      place,
      text,
      added: () => said.added,
      removed: () => said.removed,
      changed: (old, now, name) => {
        const { path, subject } = place(name);
        return [{ path: `/${path.join('/')}`, subject, before: text(old), after: text(now), ...said.changed }];
      },
    });
}

function byName(all: readonly Signer[]): Readonly<Record<string, Signer>> {
  return Object.fromEntries(all.map((signer) => [signer.name, signer]));
}

function approvalLines(place: Place, before: Approvals, after: Approvals): readonly Line[] {
  const people = (effect: string): Rule<number | undefined> => ({
    name: `people for what ${effect}`,
    means: (old = 0, now = 0) =>
      now > old ? narrows('more people approve what is served') : widens('fewer people approve what is served'),
  });
  return members(place, before, after, {
    widens: people('widens'),
    narrows: people('narrows'),
    changes: people('changes'),
    tests: {
      name: 'policy tests',
      means: (_, now) =>
        shown(now) === null
          ? widens('it is approved without policy tests that passed')
          : narrows('it is approved only with policy tests that passed'),
    },
  });
}
