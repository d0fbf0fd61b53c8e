import type { Boundary } from '../boundary.ts';
import { anonymousLines, claimLines, productLines, purposeLines, seenByPolicies, sessionLines } from './access.ts';
import { issuerLines } from './issuers.ts';
import { type Comparing, type Line, narrows, widens } from './line.ts';
import { maskLines } from './masks.ts';
import { qualityLines, serviceLevelLines } from './quality.ts';
import { rowFilterLines } from './row-filters.ts';
import { engineLines, limitLines, loweredLines, settingLines } from './running.ts';
import { catalogLines, tableLines } from './sources.ts';
import { credentialLines, storeLines } from './stores.ts';
import { functionLines, queryLines, viewLines } from './sql.ts';
import { shown } from './walk.ts';

/** What it means that a member of a boundary differs. */
export type MemberRule<V> = (comparing: Comparing, before: V, after: V) => readonly Line[] | Promise<readonly Line[]>;

/** A rule for every member of a boundary: one that has none does not compile. */
export const rules: { readonly [Member in keyof Boundary]-?: MemberRule<Boundary[Member]> } = {
  format: (_, before, after) => [
    { path: '/format', subject: 'the format of boundaries', before, after, ...widens('nobody can tell what it means') },
  ],
  product: productLines,
  environment: (comparing, before, after) => [
    {
      path: '/environment',
      subject: 'the environment',
      before: shown(before),
      after: shown(after),
      ...seenByPolicies(comparing, { attribute: 'environment' }, 'no policy depends on it'),
    },
  ],
  purposes: (_, before, after) => purposeLines(before, after),
  claims: claimLines,
  anonymous: (_, before, after) => anonymousLines(before, after),
  issuers: (_, before, after) => issuerLines(before, after),
  evidence: (_, before, after) => evidenceLines(before, after),
  session: (_, before, after) => sessionLines(before, after),
  stores: storeLines,
  credentials: credentialLines,
  catalogs: catalogLines,
  tables: tableLines,
  views: (_, before, after) => viewLines(before, after),
  quality: (_, before, after) => qualityLines(before, after),
  serviceLevels: (_, before, after) => serviceLevelLines(before, after),
  functions: (_, before, after) => functionLines(before, after),
  settings: settingLines,
  limits: (_, before, after) => limitLines(before, after),
  lowered: (_, before, after) => loweredLines(before, after),
  rowFilters: rowFilterLines,
  masks: maskLines,
  queries: (_, before, after) => queryLines(before, after),
  policies: ({ before, after, oracle }) => oracle.policies.lines(before, after),
  engine: (_, before, after) => engineLines(before, after),
};

function evidenceLines(before: Boundary['evidence'], after: Boundary['evidence']): readonly Line[] {
  const sealed = after?.literals === 'sealed';
  const said = sealed
    ? narrows('what was asked can be read while its key is there, and not after')
    : widens('records hold the values in statements as they were asked, and nobody can destroy them');
  const told = (evidence: Boundary['evidence']) => (evidence === undefined ? null : shown(evidence));
  return [
    {
      path: '/evidence',
      subject: 'what records hold of statements',
      before: told(before),
      after: told(after),
      ...said,
    },
  ];
}

/** Members whose lines depend on others: their own text may be the same and mean something else. */
export const dependent: readonly (keyof Boundary)[] = ['rowFilters', 'masks'];
