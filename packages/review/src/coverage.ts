import { type Boundary, canonicalize, type Effect, keyId, type Signer } from '@ambit/contract';
import { asStrong, stronger } from './difference.ts';
import { signerOf } from './envelope.ts';
import { limits } from './limits.ts';
import { refusal, type Refusal } from './refusal.ts';
import { REVIEW_NAMESPACE } from './sshsig.ts';
import {
  NOTHING,
  type ReviewStatement,
  type RevocationStatement,
  type Signed,
  type SignedReplay,
  type SignedTests,
} from './statement.ts';

// Does this set of reviews cover this difference? Pure, and total: every review counts, or is refused by name.

export type Owner = Boundary['product']['owner'];

/** A boundary that takes the place of another, or of nothing. */
export interface Change {
  readonly product: string;
  readonly version: string;
  readonly environment: string;
  /** Fingerprint, or `nothing`. */
  readonly from: string;
  readonly to: string;
  /** Who owned the product before; null where there was nothing. */
  readonly before: Owner | null;
  /** Who owns it with the change. */
  readonly after: Owner;
  /** What the difference does. */
  readonly effect: Effect;
}

/** A review that counts. */
export interface Counted {
  readonly file: string;
  readonly digest: string;
  readonly who: string;
  /** Name of the key. */
  readonly key: string;
  readonly reason: string;
  readonly signedAt: string;
  readonly expires: string;
  /** What the policy tests said; absent: nobody ran them. */
  readonly tests?: SignedTests;
  /** What recorded sessions would have been; absent: nobody looked. */
  readonly replay?: SignedReplay;
}

/** What is known of a change. */
export interface Coverage {
  readonly covered: boolean;
  /** Until when, in milliseconds since 1970, if nothing is revoked. Null: it is not covered. */
  readonly until: number | null;
  readonly effect: Effect;
  /** People that it needs. */
  readonly needed: number;
  /** One a person. */
  readonly counted: readonly Counted[];
  readonly refusals: readonly Refusal[];
  /** Listed people whose review would still count. */
  readonly open: readonly string[];
}

/** What a change is judged by. */
export interface Judging {
  readonly reviews: readonly Signed<ReviewStatement>[];
  readonly revocations: readonly Signed<RevocationStatement>[];
  /** Authors that are known from elsewhere, as from git. */
  readonly authors: readonly string[];
  /** Milliseconds since 1970. Null: it is not asked whether reviews are over, nor whether they were ended. */
  readonly now: number | null;
}

const USUAL = { widens: 2, narrows: 1, changes: 1 } as const;

/** People that an effect needs: what a contract asked for before counts as much as what it asks for now. */
function peopleNeeded(effect: Effect, owners: readonly (Owner | null)[]): number {
  return Math.max(USUAL[effect], ...owners.map((owner) => owner?.approvals?.[effect] ?? 0));
}

/** Which reviews cover a change, and why the others do not. */
export function coverageOf(change: Change, judging: Judging): Coverage {
  const mine = judging.reviews.filter(({ statement: { predicate } }) => predicate.to === change.to);
  const authors = authorsOf(change, mine, judging.authors);
  const judged = { ...judging, revocations: revocationsOf([change.before, change.after], judging.revocations) };
  const refusals: Refusal[] = [];
  const people = new Map<string, Counted>();
  // What its reviews say of it can ask for more people, never for less.
  let { effect } = change;
  for (const review of mine) {
    const found = judge(change, review, judged, authors);
    if ('code' in found) {
      refusals.push(found);
      continue;
    }
    effect = stronger(effect, review.statement.predicate.effect);
    const known = people.get(found.who);
    if (known === undefined || known.expires < found.expires) people.set(found.who, found);
  }
  const listed = change.before ?? change.after;
  const needed = peopleNeeded(reviewersDiffer(change) ? 'widens' : effect, [change.before, change.after]);
  const counted = [...people.values()].toSorted((a, b) => (a.who < b.who ? -1 : 1));
  const covered = counted.length >= needed;
  if (!covered) refusals.push(tooFew(change, counted, needed, effect));
  const expiries = counted.map(({ expires }) => Date.parse(expires)).toSorted((a, b) => b - a);
  return {
    covered,
    until: covered ? (expiries[needed - 1] ?? null) : null,
    effect: reviewersDiffer(change) ? 'widens' : effect,
    needed,
    counted,
    refusals,
    open: listed.reviewers
      .filter(({ name, emails }) => !people.has(name) && !emails.some((email) => authors.has(email)))
      .filter(({ keys }) => !isAgents(change, keys))
      .map(({ name }) => name),
  };
}

/** A change of those who approve is never less than a widening: a single one of them shall not put the others out. */
export function reviewersDiffer({ before, after }: Pick<Change, 'before' | 'after'>): boolean {
  return before === null || canonicalize(before.reviewers) !== canonicalize(after.reviewers);
}

/** Who wrote the change, as reviews whose signature holds say, and as is known from elsewhere. */
function authorsOf(
  change: Change,
  reviews: readonly Signed<ReviewStatement>[],
  known: readonly string[],
): ReadonlySet<string> {
  const listed = [change.before, change.after].flatMap((owner) => [
    ...(owner?.reviewers ?? []),
    ...(owner?.agents ?? []),
  ]);
  const keys = listed.flatMap((signer) => signer.keys);
  const said = reviews
    .filter(({ statement: { predicate } }) => predicate.from === change.from)
    .filter(({ envelope }) => signerOf(envelope, keys, REVIEW_NAMESPACE) !== null)
    .flatMap(({ statement }) => statement.predicate.authors);
  return new Set([...said, ...known].map((email) => email.toLowerCase()));
}

function judge(
  change: Change,
  review: Signed<ReviewStatement>,
  { revocations, now }: Judging,
  authors: ReadonlySet<string>,
): Counted | Refusal {
  const { predicate } = review.statement;
  const elsewhere = misplaced(change, review);
  if (elsewhere !== null) return elsewhere;
  const found = signerAmong(change, review);
  if ('code' in found) return found;
  const { signer, key } = found;
  if (signer.emails.some((email) => authors.has(email))) {
    return refusal(review, 'by_author', `${signer.name} wrote the change`, 'somebody else approves it');
  }
  if (!asStrong(predicate.effect, change.effect)) {
    const message = `it was signed as one that ${predicate.effect}, and it ${change.effect}`;
    return refusal(review, 'effect_other', message, 'approve it again: what is shown now is more');
  }
  const tests = testsMissing(change, review);
  if (tests !== null) return tests;
  const over = timeOrRevocation(review, revocations, now);
  if (over !== null) return over;
  return {
    file: review.file,
    digest: review.digest,
    who: signer.name,
    key: keyId(key),
    reason: predicate.reason,
    signedAt: predicate.signedAt,
    expires: predicate.expires,
    ...(predicate.tests === undefined ? {} : { tests: predicate.tests }),
    ...(predicate.replay === undefined ? {} : { replay: predicate.replay }),
  };
}

/** A review of something else. */
function misplaced(change: Change, review: Signed<ReviewStatement>): Refusal | null {
  const { predicate, subject } = review.statement;
  const again = 'approve this change itself; a review covers one pair of fingerprints in one environment';
  if (predicate.product !== change.product || subject[0].name !== change.product) {
    return refusal(review, 'other_product', `it is about product \`${predicate.product}\``, again);
  }
  if (predicate.environment !== change.environment) {
    return refusal(review, 'other_environment', `it is about environment \`${predicate.environment}\``, again);
  }
  if (predicate.version !== change.version) {
    return refusal(review, 'other_version', `it is about version ${predicate.version}`, again);
  }
  if (predicate.from === change.from && predicate.to === change.to) return null;
  return refusal(review, 'other_pair', `it is about the change from ${short(predicate.from)}`, again);
}

/** Who of those listed before the change signed it. */
function signerAmong(
  change: Change,
  review: Signed<ReviewStatement>,
): { readonly signer: Signer; readonly key: string } | Refusal {
  const { who } = review.statement.predicate;
  const by = (signers: readonly Signer[]) =>
    signers.flatMap((signer) => {
      const key = signerOf(review.envelope, signer.keys, REVIEW_NAMESPACE);
      return key === null ? [] : [{ signer, key }];
    });
  const agents = [change.before, change.after].flatMap((owner) => owner?.agents ?? []);
  if (by(agents).length > 0) {
    return refusal(review, 'by_agent', `${who.name} is an agent`, 'a person approves: agents never count');
  }
  const [found] = by((change.before ?? change.after).reviewers);
  if (found !== undefined) {
    if (found.signer.name === who.name && keyId(found.key) === who.key) return found;
    const message = `it says that ${who.name} signed, and the key is ${found.signer.name}'s`;
    return refusal(review, 'signer_other', message, 'approve it again');
  }
  if (by(change.after.reviewers).length > 0) {
    const message = `${who.name}'s key is listed by the change itself, not before it`;
    return refusal(review, 'key_new', message, 'those approve who were listed before');
  }
  const claimed = [change.before, change.after].some((owner) =>
    owner?.reviewers.some(({ keys }) => keys.some((key) => keyId(key) === review.envelope.keyid)),
  );
  return claimed
    ? refusal(review, 'signature_invalid', 'its signature does not hold', 'approve it again; the file was changed')
    : refusal(review, 'key_not_listed', `no reviewer of the contract has the key ${review.envelope.keyid}`, LISTED);
}

const LISTED = 'a reviewer signs, with a key of `owner.reviewers` as the contract had it before the change';

/** Whether a review must carry that the policy tests passed: what a contract asked for before counts as much as what it asks for now. */
export function testsNeeded(owners: readonly (Owner | null)[]): boolean {
  return owners.some((owner) => owner?.approvals?.tests === 'required');
}

function testsMissing(change: Change, review: Signed<ReviewStatement>): Refusal | null {
  const { tests } = review.statement.predicate;
  const asked = testsNeeded([change.before, change.after]);
  const run = 'approve it again with `ambit review approve --tests`, which runs them';
  if (tests === undefined) {
    return asked ? refusal(review, 'tests_missing', 'it does not say that the policy tests passed', run) : null;
  }
  if (tests.fingerprint !== change.to) {
    return refusal(review, 'tests_other', `its tests ran against ${short(tests.fingerprint)}`, run);
  }
  if (tests.failed > 0) return refusal(review, 'tests_failed', `${tests.failed} of its tests failed`, run);
  return asked && tests.passed === 0 ? refusal(review, 'tests_missing', 'its report has no test', run) : null;
}

function timeOrRevocation(
  review: Signed<ReviewStatement>,
  revocations: readonly Signed<RevocationStatement>[],
  now: number | null,
): Refusal | null {
  const { predicate } = review.statement;
  const again = 'approve it again with `ambit review approve`';
  const revoked = revocations.find(
    ({ statement }) =>
      statement.predicate.review === review.digest && (now !== null || statement.predicate.scope === 'all'),
  );
  if (revoked !== undefined) {
    const { who, reason } = revoked.statement.predicate;
    return refusal(review, 'revoked', `${who.name} revoked it: ${reason}`, again);
  }
  if (Date.parse(predicate.expires) <= Date.parse(predicate.signedAt)) {
    return refusal(review, 'expired', 'it was over before it was signed', again);
  }
  if (now === null) return null;
  if (Date.parse(predicate.signedAt) > now + limits.clockAheadMs) {
    return refusal(review, 'signed_ahead', `it was signed at ${predicate.signedAt}, which is yet to come`, again);
  }
  if (Date.parse(predicate.expires) <= now) {
    return refusal(review, 'expired', `it ended at ${predicate.expires}`, again);
  }
  return null;
}

/** Revocations that hold: by whoever may approve, before the change or after it. */
function revocationsOf(
  owners: readonly (Owner | null)[],
  revocations: readonly Signed<RevocationStatement>[],
): readonly Signed<RevocationStatement>[] {
  const keys = owners.flatMap((owner) => owner?.reviewers.flatMap((reviewer) => reviewer.keys) ?? []);
  return revocations.filter(({ envelope }) => signerOf(envelope, keys, REVIEW_NAMESPACE) !== null);
}

function tooFew(change: Change, counted: readonly Counted[], needed: number, effect: Effect): Refusal {
  const listed = (change.before ?? change.after).reviewers;
  const who = counted.length === 0 ? 'nobody' : counted.map((one) => one.who).join(', ');
  const what = change.from === NOTHING ? 'it is the first boundary' : `it ${effect}`;
  const message = `${what}, which ${needed} ${needed === 1 ? 'person approves' : 'people approve'}; ${who} has`;
  const hint =
    listed.length < needed
      ? `the contract lists ${listed.length} reviewers: \`owner.reviewers\` needs ${needed}`
      : `\`ambit review approve\` by ${listed
          .map(({ name }) => name)
          .filter((name) => !counted.some((one) => one.who === name))
          .join(' or ')}`;
  return { code: 'too_few', file: null, who: null, message, hint };
}

function isAgents(change: Change, keys: readonly string[]): boolean {
  const agents = [change.before, change.after].flatMap((owner) => owner?.agents ?? []);
  return agents.some((agent) => agent.keys.some((key) => keys.includes(key)));
}

/** A fingerprint, as people tell them apart. */
export function short(fingerprint: string): string {
  return fingerprint.replace(/^sha256:/, '').slice(0, 12);
}
