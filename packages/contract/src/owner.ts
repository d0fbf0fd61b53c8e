import type { Approvals, ProductIdentity, Signer } from './boundary.ts';
import type { Document, Path } from './document.ts';
import { readKeys } from './key-text.ts';
import type { Problem } from './problem.ts';
import type { Contract } from './schema.ts';

/** Keys by name, as files list them. */
export type NamedKeys = Readonly<Record<string, string>>;

/** Those who are listed by name, each with keys; sorted. Says nothing of what is wrong with them. */
export function signersOf(named: NamedKeys | undefined): readonly Signer[] {
  return Object.entries(named ?? {})
    .map(([name, text]) => {
      const { keys, emails } = readKeys(text);
      return { name, keys: keys.toSorted(), emails };
    })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** The owner as the boundary has it. */
export function ownerOf({ owner }: Contract): ProductIdentity['owner'] {
  const { team, reviewers, agents, approvals } = owner;
  return {
    team,
    reviewers: signersOf(reviewers),
    ...(agents === undefined ? {} : { agents: signersOf(agents) }),
    ...(approvals === undefined ? {} : { approvals: approvalsOf(approvals) }),
  };
}

function approvalsOf({ widens, narrows, changes, tests }: NonNullable<Contract['owner']['approvals']>): Approvals {
  return {
    ...(widens === undefined ? {} : { widens }),
    ...(narrows === undefined ? {} : { narrows }),
    ...(changes === undefined ? {} : { changes }),
    ...(tests === undefined ? {} : { tests }),
  };
}

/** What is wrong with the keys of those who approve, at its place. */
export function ownerProblems(document: Document<Contract>, { owner }: Contract): readonly Problem[] {
  const { reviewers = {}, agents = {} } = owner;
  const holders = new Map<string, string>();
  return [
    ...namedProblems(document, ['owner', 'reviewers'], reviewers, holders),
    ...namedProblems(document, ['owner', 'agents'], agents, holders),
    ...Object.keys(agents)
      .filter((name) => Object.hasOwn(reviewers, name))
      .map((name) =>
        document.problem(['owner', 'agents', name], `\`${name}\` is a reviewer too`, 'an agent reviews nothing', 'key'),
      ),
    ...Object.entries(reviewers)
      .filter(([, text]) => {
        const { emails, problems } = readKeys(text);
        return problems.length === 0 && emails.length === 0;
      })
      .map(([name]) =>
        document.problem(
          ['owner', 'reviewers', name],
          `reviewer \`${name}\` has no e-mail address`,
          'put behind the key the addresses that their commits have: who wrote a change does not approve it',
        ),
      ),
  ];
}

/** What is wrong with named keys. A key belongs to one name. */
function namedProblems<T>(
  document: Pick<Document<T>, 'sqlProblem' | 'problem'>,
  path: Path,
  named: NamedKeys,
  holders: Map<string, string> = new Map(),
): readonly Problem[] {
  return Object.entries(named).flatMap(([name, text]) => {
    const { keys, problems } = readKeys(text);
    const twice = keys.flatMap((key) => {
      const holder = holders.get(key);
      holders.set(key, name);
      if (holder === undefined) return [];
      const message = `\`${name}\` has a key of \`${holder}\``;
      return [document.problem([...path, name], message, 'a key is one person: the other would be counted twice')];
    });
    return [
      ...problems.map(({ message, hint, line, column }) =>
        document.sqlProblem([...path, name], message, hint, line, column),
      ),
      ...twice,
    ];
  });
}
