import { canonicalize, type Difference, pointer } from '@ambit/contract';
import type { Engine } from '@ambit/engine';
import type { Meaning } from '@ambit/policy';
import type { Named } from '@ambit/review';

import { differWith } from '../reviews/differing.ts';
import { implicationOf } from './compare.ts';

/** Whether row filters or masks of two boundaries say something else. */
export function governsOtherwise(before: Named, after: Named): boolean {
  const said = ({ boundary: { rowFilters, masks } }: Named): string => canonicalize({ rowFilters, masks });
  return said(before) !== said(after);
}

/**
 * What row filters and masks that say something else show, decided as what differs between boundaries is: less where that
 * only narrows, more where the way back does.
 */
export async function meaningOf(engine: Engine, before: Named, after: Named): Promise<Meaning> {
  const differ = differWith(implicationOf(engine));
  const found = await Promise.all([differ(before, after), differ(after, before)]).catch(() => null);
  // A boundary of another version of Ambit may not be readable as one.
  if (found === null) return () => 'changed';
  const [there, back] = found;
  return (kind, id) => {
    const path = kind === 'mask' ? pointer('masks', id, 'with') : pointer('rowFilters', id, 'where');
    const [now, reverse] = [effectOf(there, path), effectOf(back, path)];
    if (now === 'changes' && reverse === 'changes') return 'same';
    if (now === 'narrows' && reverse !== 'narrows') return 'less';
    if (reverse === 'narrows' && now !== 'narrows') return 'more';
    return 'changed';
  };
}

function effectOf({ lines }: Difference, at: string): Difference['effect'] | null {
  return lines.find(({ path }) => path === at)?.effect ?? null;
}
