import { expect, it } from 'vitest';
import { approval, archive, boundary, DAY, differing, judged, NOON, person, revocation } from './support.ts';

// What one person may approve alone, one after the other, is never what two have to.

const [ann, bo] = [person('ann'), person('bo')];
const owner = { reviewers: [ann.listed, bo.listed] };
const first = boundary(owner);
const wide = boundary(owner, 'v1', { functions: ['read_everything'] });
const last = boundary(owner, 'v2', { functions: ['read_everything'] });
const founded = [await approval(ann, null, first), await approval(bo, null, first)];
const boundaries = [first, wide, last];

it('a widening that one person signed as less does not become what was there before', async () => {
  const alone = [
    await approval(bo, first, wide, { effect: 'narrows' }),
    await approval(bo, wide, last, { effect: 'changes' }),
  ];
  const files = archive(boundaries, [...founded, ...alone]);
  expect(await judged(files, wide)).toMatchObject({ covered: false });
  const found = await judged(files, last);
  expect(found).toMatchObject({ covered: false });
  expect(found.refusals.map(({ code }) => code)).toContain('chain_broken');
});

it('nor one of which nobody can tell what it did', async () => {
  const alone = [
    await approval(bo, first, wide, { effect: 'narrows' }),
    await approval(bo, wide, last, { effect: 'changes' }),
  ];
  const files = archive(boundaries, [...founded, ...alone]);
  const differ: ReturnType<typeof differing> = async (from, to) => {
    if (to.fingerprint === wide.fingerprint) throw new Error('it is of another version');
    return differing()(from, to);
  };
  expect(await judged(files, last, { differ })).toMatchObject({ covered: false });
});

it('what two signed is, and what one may sign on top of it', async () => {
  const both = [
    await approval(ann, first, wide),
    await approval(bo, first, wide),
    await approval(bo, wide, last, { effect: 'changes' }),
  ];
  expect(await judged(archive(boundaries, [...founded, ...both]), last)).toMatchObject({ covered: true });
});

it('a version that owners approved once stays published, whatever ended that', async () => {
  const revoked = await Promise.all(founded.map((review) => revocation(ann, review)));
  for (const [files, now] of [
    [archive([first], founded), NOON + 4_000 * DAY],
    [archive([first], founded, revoked), NOON],
  ] as const)
    expect(await judged(files, first, { now })).toMatchObject({ covered: false, published: true });
  // Another boundary of it is of the same version.
  expect(await judged(archive([first], founded), last)).toMatchObject({ covered: false, published: true });
});

it('one that too few approved is not, nor one whose chain begins anew', async () => {
  expect(await judged(archive([first], founded.slice(1)), first)).toMatchObject({ covered: false, published: false });
  const other = archive([first], founded);
  expect(await judged(other, first, { root: last.fingerprint })).toMatchObject({ covered: false, published: false });
});
