import type { Difference } from '@ambit/policy';

import type { Against, Changed } from '../against.ts';
import { counted, printable } from '../display.ts';
import { facts, listed, section } from './layout.ts';

/** What a new boundary would change, for people: those that are refused first, those that see the same last. */
export function againstPage({ product, fingerprint, since, sessions, subjects }: Against): string {
  const groups = order.flatMap((effect) => {
    const found = subjects.filter((one) => one.effect === effect);
    return section(`${headings[effect]} (${found.length})`, found.length === 0 ? [] : found.flatMap(changedLines));
  });
  const lines = [
    `${printable(product)}: ${counted(sessions, 'recorded request')} of ${counted(subjects.length, 'subject')} with a purpose against`,
    `${fingerprint}${since === null ? '' : `, since ${since}`}`,
    ...groups,
  ];
  return `${lines.join('\n')}\n`;
}

const order: readonly Changed['effect'][] = ['refused', 'less', 'mixed', 'more', 'opened', 'same'];

const headings: Readonly<Record<Changed['effect'], string>> = {
  refused: 'Would be refused',
  less: 'Would see less',
  mixed: 'Would see more and less, or otherwise',
  more: 'Would see more',
  opened: 'Were refused and would be let in',
  same: 'Would see the same',
};

function changedLines({ subject, purpose, asked, differences }: Changed): readonly string[] {
  const { tenant, principal, kind, roles, claims, onBehalfOf } = subject;
  const claimed = Object.entries(claims).map(([name, value]) => `${name} = ${JSON.stringify(value)}`);
  const who = [
    `${principal} of ${tenant} (${[kind, ...roles].join(', ')})`,
    ...(onBehalfOf === null ? [] : [`for ${onBehalfOf.principal} of ${onBehalfOf.tenant}`]),
    `for ${purpose}`,
    ...(claimed.length === 0 ? [] : [`with ${claimed.join(', ')}`]),
  ];
  const asks = Object.entries(asked).map(([what, times]) => `${what} ${times}×`);
  return [
    printable(who.join(', ')),
    ...facts([
      ['  asked', listed(asks)],
      ['  more', differencesText(differences, 'more')],
      ['  less', differencesText(differences, 'less')],
      ['  otherwise', differencesText(differences, 'changed')],
    ]),
  ];
}

/** `more` of a filter or mask is that it does not apply any more. */
function differencesText(differences: readonly Difference[], effect: Difference['effect']): string | null {
  const told = differences.filter((one) => one.effect === effect);
  if (told.length === 0) return null;
  return listed(
    told.map(({ kind, name }) => {
      const governs = kind === 'row filter' || kind === 'mask';
      if (governs && effect !== 'changed') return `${effect === 'more' ? 'no' : 'new'} ${kind} on ${name}`;
      return `${kind} ${name}`;
    }),
    80,
  );
}
