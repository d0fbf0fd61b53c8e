import type { Boundary, Difference, Effect } from '@ambit/contract';
import { type Change, type Coverage, coverageOf, type Judging, reviewersDiffer, short } from './coverage.ts';
import { type Differ, effectOf, type Named, unknownDifference } from './difference.ts';
import type { Refusal } from './refusal.ts';
import { NOTHING, type ReviewStatement, type RevocationStatement, type Signed } from './statement.ts';

// A boundary is approved where reviews lead to it from nothing, link by link: the files alone say what production had.

/** What is kept of a product in an environment. */
export interface Archive {
  readonly reviews: readonly Signed<ReviewStatement>[];
  readonly revocations: readonly Signed<RevocationStatement>[];
  /** Boundaries that were approved, by fingerprint. */
  readonly boundaries: ReadonlyMap<string, Boundary>;
  /** Files that are nothing of this, and why. */
  readonly refusals: readonly Refusal[];
  /** What each step that somebody reviewed does, whatever its reviews say. A step that is not here may do anything. */
  readonly effects?: ReadonlyMap<string, Effect>;
}

/** An archive with what each of its steps does: one person shall not sign as less what two have to. */
export async function withEffects(archive: Archive, differ: Differ): Promise<Archive> {
  const effects = new Map<string, Effect>();
  for (const { statement } of archive.reviews) {
    const { from, to } = statement.predicate;
    const [before, after] = [archive.boundaries.get(from), archive.boundaries.get(to)];
    if (before === undefined || after === undefined || effects.has(stepOf(from, to))) continue;
    const found = await Promise.resolve()
      .then(() => differ({ boundary: before, fingerprint: from }, { boundary: after, fingerprint: to }))
      .then(effectOf, (): Effect => 'widens');
    effects.set(stepOf(from, to), found);
  }
  return { ...archive, effects };
}

function stepOf(from: string, to: string): string {
  return `${from} ${to}`;
}

/** How a boundary is judged. */
export interface Asked {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Authors known from elsewhere, as from git. */
  readonly authors?: readonly string[];
  /** What differs from each of the `stepsTo` the boundary. Of what is not here nobody can tell. */
  readonly differences: ReadonlyMap<string, Difference>;
  /** The first boundary of the product that is remembered: no chain begins with another. */
  readonly root?: string | null;
  /** Judges this step alone: fingerprint, or `nothing`. */
  readonly from?: string;
}

/** Whether a boundary is approved, and by what. */
export interface Verdict extends Coverage {
  /** What it takes the place of: fingerprint, or `nothing`. */
  readonly from: string;
  /** The first boundary of its chain; null where there is no chain. */
  readonly root: string | null;
  /** What differs from what it takes the place of. */
  readonly difference: Difference;
  /** Whether owners approved this version once, if with another boundary, whatever has ended that: its name has meant it. */
  readonly published: boolean;
}

/** Boundaries that were approved, with the first boundaries of their chains. Time ends none of them: it ends being served. */
function establishedOf(archive: Archive): ReadonlyMap<string, ReadonlySet<string>> {
  const links = linksOf(archive);
  const roots = new Map<string, Set<string>>();
  const waiting = [NOTHING];
  for (let at = waiting.shift(); at !== undefined; at = waiting.shift()) {
    for (const to of links.get(at) ?? []) {
      const known = roots.get(to) ?? new Set();
      const before = known.size;
      for (const root of at === NOTHING ? [to] : (roots.get(at) ?? [])) known.add(root);
      roots.set(to, known);
      if (known.size > before) waiting.push(to);
    }
  }
  return roots;
}

/** Steps that reviews cover, whenever that was, by where they begin. */
function linksOf(archive: Archive): ReadonlyMap<string, readonly string[]> {
  const links = new Map<string, string[]>();
  const seen = new Set<string>();
  for (const { statement } of archive.reviews) {
    const { from, to } = statement.predicate;
    const after = archive.boundaries.get(to);
    const step = stepOf(from, to);
    if (seen.has(step) || after === undefined) continue;
    seen.add(step);
    const effect = archive.effects?.get(step) ?? 'widens';
    const change = changeOf(archive, from, { boundary: after, fingerprint: to }, effect);
    if (change === null || !coverageOf(change, { ...archive, authors: [], now: null }).covered) continue;
    links.set(from, [...(links.get(from) ?? []), to]);
  }
  return links;
}

/** A step; null where nobody knows what was there before. */
function changeOf(archive: Archive, from: string, to: Named, effect: Effect): Change | null {
  const before = from === NOTHING ? null : archive.boundaries.get(from);
  const { product, environment } = to.boundary;
  // What another product or environment was has no say, whoever signed that.
  const own = before?.product.name === product.name && before.environment === environment;
  if (before === undefined || (before !== null && !own)) return null;
  return {
    product: product.name,
    version: product.version,
    environment,
    from,
    to: to.fingerprint,
    before: before?.product.owner ?? null,
    after: product.owner,
    effect,
  };
}

/** Whether a boundary is approved now. Where it is not: what it would take, from what was approved last. */
export function verdictOf(archive: Archive, to: Named, asked: Asked): Verdict {
  const verdict = judged(archive, to, asked);
  return { ...verdict, published: verdict.covered || wasPublished(archive, to, asked.root ?? null) };
}

/** Whether reviews ever led to a boundary of this version: time and revocations do not undo that it was served. */
function wasPublished(archive: Archive, { boundary }: Named, root: string | null): boolean {
  const { name, version } = boundary.product;
  return [...establishedOf({ ...archive, revocations: [] })].some(([fingerprint, roots]) => {
    const one = archive.boundaries.get(fingerprint);
    if (one?.product.name !== name || one.environment !== boundary.environment) return false;
    return one.product.version === version && (root === null || roots.has(root));
  });
}

function judged(archive: Archive, to: Named, asked: Asked): Judged {
  const established = establishedOf(archive);
  const judging: Judging = { ...archive, authors: asked.authors ?? [], now: asked.now };
  const steps = asked.from === undefined ? stepsTo(archive, to, asked.now, established) : [asked.from];
  const differing = (from: string): Difference => asked.differences.get(from) ?? unknownDifference(to);
  const verdicts = steps.map((from) => {
    const difference = differing(from);
    const change = changeOf(archive, from, to, effectOf(difference));
    if (change === null) return broken(from, to, difference);
    const effect = reviewersDiffer(change) ? 'widens' : change.effect;
    const roots = from === NOTHING ? new Set([to.fingerprint]) : (established.get(from) ?? new Set<string>());
    const found = { ...coverageOf({ ...change, effect }, judging), from, difference };
    return rooted(found, from, roots, asked.root ?? null);
  });
  const [best] = verdicts.toSorted((a, b) => rank(b) - rank(a) || b.counted.length - a.counted.length);
  const chosen = best ?? broken(NOTHING, to, differing(NOTHING));
  return { ...chosen, refusals: [...chosen.refusals, ...archive.refusals] };
}

/** A verdict on a boundary alone. */
type Judged = Omit<Verdict, 'published'>;

function rank({ covered, until, counted, from }: Judged): number {
  if (covered) return until ?? 0;
  return counted.length > 0 ? -1 : from === NOTHING ? -3 : -2;
}

/** Where the steps that may lead to a boundary begin: those that somebody reviewed, else what was approved last. */
export function stepsTo(
  archive: Archive,
  to: Named,
  now: number,
  established: ReadonlyMap<string, ReadonlySet<string>> = establishedOf(archive),
): readonly string[] {
  const reviewed = archive.reviews
    .map(({ statement }) => statement.predicate)
    .filter((predicate) => predicate.to === to.fingerprint && predicate.from !== to.fingerprint)
    .map((predicate) => predicate.from);
  const steps = [...new Set(reviewed)];
  return steps.length > 0 ? steps : [lastOf(archive, established, to.fingerprint, now)];
}

/** What differs from where each step begins. */
export async function differencesTo(
  { boundaries }: Archive,
  to: Named,
  steps: readonly string[],
  differ: Differ,
): Promise<ReadonlyMap<string, Difference>> {
  const differences = new Map<string, Difference>();
  for (const from of steps) {
    const boundary = boundaries.get(from);
    if (from !== NOTHING && boundary === undefined) continue;
    const before = boundary === undefined ? null : { boundary, fingerprint: from };
    // A boundary of another version of Ambit may not be readable as one: nobody can tell what it showed.
    const found = await Promise.resolve(before)
      .then((named) => differ(named, to))
      .catch(() => unknownDifference(to));
    differences.set(from, found);
  }
  return differences;
}

/** What was approved last: what may still be served before what may not, and then the newest. */
function lastOf(
  { reviews }: Archive,
  established: ReadonlyMap<string, ReadonlySet<string>>,
  except: string,
  now: number,
): string {
  const newest = reviews
    .map(({ statement }) => statement.predicate)
    .filter(({ to }) => to !== except && established.has(to))
    .toSorted(
      (a, b) =>
        Number(Date.parse(b.expires) > now) - Number(Date.parse(a.expires) > now) ||
        Date.parse(b.signedAt) - Date.parse(a.signedAt),
    );
  return newest[0]?.to ?? NOTHING;
}

function rooted(
  found: Omit<Judged, 'root'>,
  from: string,
  roots: ReadonlySet<string>,
  remembered: string | null,
): Judged {
  const [any] = roots;
  if (any === undefined) {
    const message = `no unbroken chain of reviews leads to ${short(from)}, whose place it takes`;
    const hint = 'put back the reviews that are gone, or approve it from what was approved last: `ambit review status`';
    return uncovered({ ...found, root: null }, { code: 'chain_broken', file: null, who: null, message, hint });
  }
  if (remembered === null || roots.has(remembered)) return { ...found, root: remembered ?? any };
  const message = `its reviews begin with ${short(any)}, and the first boundary served here was ${short(remembered)}`;
  const hint = 'a product begins once: approve the change from what was approved last';
  return uncovered({ ...found, root: any }, { code: 'chain_reset', file: null, who: null, message, hint });
}

function uncovered(verdict: Judged, why: Refusal): Judged {
  return { ...verdict, covered: false, until: null, refusals: [why, ...verdict.refusals] };
}

/** What it takes the place of is not there to be looked at. */
function broken(from: string, to: Named, difference: Difference): Judged {
  const message = `the boundary ${short(from)}, whose place it takes, is not kept beside its reviews`;
  const hint = 'put back the file of that boundary, or approve the change from what was approved last';
  const reviewers = to.boundary.product.owner.reviewers.map(({ name }) => name);
  return {
    covered: false,
    until: null,
    effect: 'widens',
    needed: 2,
    counted: [],
    refusals: [{ code: 'chain_broken', file: null, who: null, message, hint }],
    open: reviewers,
    from,
    root: null,
    difference,
  };
}
