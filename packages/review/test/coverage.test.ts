import { describe, expect, it } from 'vitest';
import type { Named, Verdict } from '../src/index.ts';
import {
  approval,
  archive,
  boundary,
  differing,
  DAY,
  HOUR,
  listed,
  NOON,
  person,
  reviewOf,
  revocation,
  signed,
  judged,
} from './support.ts';

const [ann, bo, cy, eve] = ['ann', 'bo', 'cy', 'eve'].map(person) as [
  ReturnType<typeof person>,
  ReturnType<typeof person>,
  ReturnType<typeof person>,
  ReturnType<typeof person>,
];
const reviewers = [ann.listed, bo.listed, cy.listed];
const first = boundary({ reviewers });
const second = boundary({ reviewers }, 'v2', { functions: ['sha256'] });
const narrower = differing('narrows');

const codes = ({ refusals }: Verdict): readonly string[] => refusals.map(({ code }) => code);
const founding = async () => [await approval(ann, null, first), await approval(bo, null, first)];

describe('the first boundary', () => {
  it('is approved against nothing, by two of its own reviewers', async () => {
    const reviews = await founding();
    const verdict = await judged(archive([first], reviews), first);
    expect(verdict).toMatchObject({ covered: true, from: 'nothing', root: first.fingerprint, needed: 2, refusals: [] });
    expect(verdict.until).toBe(NOON + 30 * DAY);
    expect(verdict.counted.map(({ who }) => who)).toEqual(['ann', 'bo']);
    expect(await judged(archive([first], reviews.slice(1)), first)).toMatchObject({
      covered: false,
      open: ['ann', 'cy'],
    });
  });

  it('is approved by nobody where the contract lists nobody', async () => {
    const alone = boundary({});
    const verdict = await judged(archive([], []), alone);
    expect(codes(verdict)).toEqual(['too_few']);
    expect(verdict.refusals[0]?.hint).toBe('the contract lists 0 reviewers: `owner.reviewers` needs 2');
  });
});

describe('a change', () => {
  it('that widens takes two people, one twice is one', async () => {
    const reviews = [...(await founding()), await approval(ann, first, second)];
    const again = await approval(ann, first, second, { reason: 'looked once more' });
    const one = await judged(archive([first, second], [...reviews, again]), second);
    expect(one).toMatchObject({ covered: false, from: first.fingerprint });
    expect(codes(one)).toEqual(['too_few']);
    expect(one.refusals[0]).toMatchObject({ message: 'it widens, which 2 people approve; ann has' });
    const two = await judged(archive([first, second], [...reviews, await approval(cy, first, second)]), second);
    expect(two).toMatchObject({ covered: true, root: first.fingerprint });
  });

  it('that narrows takes one, unless the contract asks for more, before or after', async () => {
    const review = await approval(ann, first, second, { effect: 'narrows' });
    const files = archive([first, second], [...(await founding()), review]);
    expect(await judged(files, second, { differ: narrower })).toMatchObject({ covered: true, needed: 1 });
    // What was seen as narrowing widens: nobody approved that.
    expect(codes(await judged(files, second))).toEqual(['effect_other', 'too_few']);

    const asking = boundary({ reviewers, approvals: { narrows: 3 } });
    const lower = boundary({ reviewers, approvals: { narrows: 3 } }, 'v2');
    const reviews = [await approval(ann, null, asking), await approval(bo, null, asking)];
    const narrowed = await approval(ann, asking, lower, { effect: 'narrows' });
    const verdict = await judged(archive([asking, lower], [...reviews, narrowed]), lower, { differ: narrower });
    expect(verdict).toMatchObject({ covered: false, needed: 3 });
  });

  it('of who approves widens, whatever else it is said to do', async () => {
    const fewer = boundary({ reviewers: reviewers.slice(0, 2) });
    const review = await approval(ann, first, fewer, { effect: 'narrows' });
    const verdict = await judged(archive([first, fewer], [...(await founding()), review]), fewer, { differ: narrower });
    expect(codes(verdict)).toEqual(['effect_other', 'too_few']);
    expect(verdict.needed).toBe(2);
  });

  it('that adds a reviewer is not approved by that reviewer', async () => {
    const added = boundary({ reviewers: [...reviewers, eve.listed] });
    const reviews = [...(await founding()), await approval(ann, first, added), await approval(eve, first, added)];
    const verdict = await judged(archive([first, added], reviews), added);
    expect(codes(verdict)).toEqual(['key_new', 'too_few']);
    expect((await judged(archive([first, added], [...reviews, await approval(bo, first, added)]), added)).covered).toBe(
      true,
    );
  });

  it('is not approved by whoever wrote it, as any of its reviews or git says', async () => {
    const wrote = await approval(ann, first, second, { authors: ['BO@example.org'] });
    const reviews = [...(await founding()), wrote, await approval(bo, first, second)];
    const verdict = await judged(archive([first, second], reviews), second);
    expect(codes(verdict)).toEqual(['by_author', 'too_few']);
    expect(verdict.open).toEqual(['cy']);
    const files = archive([first, second], [...reviews, await approval(cy, first, second)]);
    expect((await judged(files, second)).covered).toBe(true);
    expect((await judged(files, second, { authors: ['cy@example.org'] })).covered).toBe(false);
  });

  it('is not approved by agents, though they be reviewers too', async () => {
    const owner = { reviewers, agents: [listed('bot', bo.signer.key)] };
    const [with_, after] = [boundary(owner), boundary(owner, 'v2')];
    const reviews = [await approval(ann, null, with_), await approval(cy, null, with_)];
    const files = [...reviews, await approval(ann, with_, after), await approval(bo, with_, after)];
    expect(codes(await judged(archive([with_, after], files), after))).toContain('by_agent');
  });

  it('needs tests of this very boundary that all passed, where the contract says so', async () => {
    const owner = { reviewers, approvals: { tests: 'required' as const } };
    const tested = boundary(owner);
    const digest = `sha256:${'1'.repeat(64)}`;
    const passed = { digest, fingerprint: tested.fingerprint, passed: 9, failed: 0 };
    const tried = async (tests: typeof passed | undefined) => {
      const more = tests === undefined ? {} : { tests };
      const reviews = [await approval(ann, null, tested, more), await approval(bo, null, tested, more)];
      return codes(await judged(archive([tested], reviews), tested))[0];
    };
    expect(await tried(passed)).toBeUndefined();
    expect(await tried(undefined)).toBe('tests_missing');
    expect(await tried({ ...passed, passed: 0 })).toBe('tests_missing');
    expect(await tried({ ...passed, failed: 1 })).toBe('tests_failed');
    expect(await tried({ ...passed, fingerprint: first.fingerprint })).toBe('tests_other');
  });
});

describe('time and revocation', () => {
  it('end what was approved, by name', async () => {
    const reviews = [
      await approval(ann, null, first),
      await approval(bo, null, first, { expires: '2026-12-01T00:00:00Z' }),
    ];
    const files = archive([first], reviews);
    const over = Date.parse('2026-12-01T00:00:00Z');
    expect(await judged(files, first, { now: over - 1 })).toMatchObject({ covered: true, until: over });
    expect(codes(await judged(files, first, { now: over }))).toEqual(['expired', 'too_few']);
    expect(codes(await judged(files, first, { now: NOON - HOUR }))).toEqual([
      'signed_ahead',
      'signed_ahead',
      'too_few',
    ]);

    const revoked = archive([first], reviews, [await revocation(cy, reviews[0] as (typeof reviews)[0])]);
    const verdict = await judged(revoked, first);
    expect(codes(verdict)).toEqual(['revoked', 'too_few']);
    expect(verdict.refusals[0]?.message).toBe('cy revoked it: a mistake');
  });

  it('a stranger revokes nothing', async () => {
    const reviews = await founding();
    const by = await revocation(eve, reviews[0] as (typeof reviews)[0]);
    expect((await judged(archive([first], reviews, [by]), first)).covered).toBe(true);
  });

  it('what is over still leads to what was approved on top of it; what was revoked does not, unless for itself alone', async () => {
    const short = { expires: '2026-11-25T00:00:00Z' };
    const old = [await approval(ann, null, first, short), await approval(bo, null, first, short)];
    const reviews = [...old, await approval(ann, first, second), await approval(cy, first, second)];
    const now = NOON + 5 * DAY;
    expect((await judged(archive([first, second], reviews), second, { now })).covered).toBe(true);
    expect((await judged(archive([first, second], reviews), first, { now })).covered).toBe(false);
    const taken = async (scope: 'all' | 'itself') =>
      archive([first, second], reviews, [await revocation(bo, old[0] as (typeof old)[0], scope)]);
    expect((await judged(await taken('itself'), second, { now })).covered).toBe(true);
    expect((await judged(await taken('itself'), first)).covered).toBe(false);
    expect(codes(await judged(await taken('all'), second, { now }))).toEqual(['chain_broken']);
  });
});

describe('the chain', () => {
  it('breaks where a review or a boundary is gone, and where another product was before', async () => {
    const [a, b] = await founding();
    const onTop = [await approval(ann, first, second), await approval(cy, first, second)];
    expect(
      codes(await judged(archive([first, second], [...onTop, ...(a === undefined ? [] : [a])]), second)),
    ).toContain('chain_broken');
    const all = [...onTop, ...[a, b].filter((one) => one !== undefined)];
    expect((await judged(archive([first, second], all), second)).covered).toBe(true);
    expect(codes(await judged(archive([second], all), second))).toContain('chain_broken');

    // Whoever owns another product approves nothing of this one.
    const theirs = boundary({ reviewers: [eve.listed, cy.listed] }, 'v1');
    const other: Named = (() => {
      const product = { ...theirs.boundary.product, name: 'stall' };
      return boundary({}, '', { product });
    })();
    const takeover = [
      await approval(eve, null, other),
      await approval(cy, null, other),
      await approval(eve, other, second),
      await approval(cy, other, second),
    ];
    expect((await judged(archive([other, second], takeover), second)).covered).toBe(false);
  });

  it('cannot begin anew beside what was served: not by those who list themselves', async () => {
    const [mallory, mate] = [person('mallory'), person('mate')];
    const taken = boundary({ reviewers: [mallory.listed, mate.listed] }, 'taken over');
    const reviews = [...(await founding()), await approval(mallory, null, taken), await approval(mate, null, taken)];
    const files = archive([first, taken], reviews);
    const verdict = await judged(files, taken, { root: first.fingerprint });
    expect(verdict.covered).toBe(false);
    expect(codes(verdict)).toContain('chain_reset');
    expect((await judged(files, first, { root: first.fingerprint })).covered).toBe(true);
  });

  it('of what nobody reviewed yet begins with what was approved last', async () => {
    const third = boundary({ reviewers }, 'v3');
    const later = { signedAt: '2026-11-24T12:30:00Z' };
    const reviews = [
      ...(await founding()),
      await approval(ann, first, second, later),
      await approval(bo, first, second, later),
    ];
    const verdict = await judged(archive([first, second], reviews), third);
    expect(verdict).toMatchObject({ covered: false, from: second.fingerprint, open: ['ann', 'bo', 'cy'] });
    expect(codes(verdict)).toEqual(['too_few']);
  });

  it('a review of one pair covers no other', async () => {
    const third = boundary({ reviewers }, 'v3', { functions: ['md5'] });
    const reviews = [...(await founding()), await approval(ann, first, third), await approval(bo, second, third)];
    expect((await judged(archive([first, second, third], reviews), third)).covered).toBe(false);
  });

  it('a review that names another than its signer counts for neither', async () => {
    const statement = reviewOf(bo, null, first);
    const forged = await signed(statement, ann.signer);
    expect(codes(await judged(archive([first], [await approval(cy, null, first), forged]), first))).toEqual([
      'signer_other',
      'too_few',
    ]);
  });
});
