import { digest } from '@ambit/contract';
import { EvidenceContradiction, type EvidenceLog, type ReviewApplied } from '@ambit/evidence';
import { short, type Standing } from '@ambit/review';
import { Refused } from './errors.ts';
import type { Product } from './load.ts';

/** Because of what a boundary is served, as the evidence keeps it. */
export type Approval = Omit<ReviewApplied, 'type'>;

type Judged = Pick<Product, 'boundary' | 'fingerprint' | 'standing'>;

/** Whether a boundary may be served: nobody has to approve it, or somebody did. */
export function isServed({ standing }: Pick<Product, 'standing'>, now: number): boolean {
  return standing === undefined || standing(now).kind !== 'refused';
}

/** Because of what a boundary is served now; null where nobody has to approve it. Throws `Refused` where nobody did. */
export function approvalOf(product: Judged, now: number): Approval | null {
  const standing = product.standing?.(now);
  if (standing === undefined) return null;
  if (standing.kind === 'refused') throw unapproved(product, standing);
  const known = kept.get(standing);
  if (known !== undefined) return known;
  const made = madeOf(product, standing);
  kept.set(standing, made);
  return made;
}

/** Records because of what a boundary is served. Throws `Refused` where its product began with another one meanwhile, on whichever server. */
export async function recordApproval(
  evidence: Pick<EvidenceLog, 'ensureReview'>,
  product: Judged,
  approval: Approval,
): Promise<void> {
  try {
    await evidence.ensureReview(approval);
  } catch (error) {
    if (!(error instanceof EvidenceContradiction)) throw error;
    throw refusal(product, 'chain_reset');
  }
}

/** A gate gives the same object for as long as it knows nothing new. */
const kept = new WeakMap<Standing, Approval>();

function madeOf({ boundary, fingerprint }: Judged, standing: Exclude<Standing, { kind: 'refused' }>): Approval {
  const { verdict } = standing;
  const { name, version } = boundary.product;
  const said = {
    product: name,
    version,
    environment: boundary.environment,
    fingerprint,
    from: verdict.from,
    root: standing.kind === 'approved' ? verdict.root : null,
    effect: verdict.effect,
    needed: verdict.needed,
    reviews: verdict.counted.map(({ file: _file, tests: _tests, replay: _replay, ...review }) => review),
    breakGlass: standing.kind === 'opened' ? standing.opening : null,
  };
  return { digest: digest(said), ...said };
}

/** In words for a consumer: which boundary and why, not who. */
function unapproved(product: Judged, { verdict }: Standing): Refused {
  return refusal(product, [...new Set(verdict.refusals.map(({ code }) => code))].join(', '));
}

function refusal({ boundary, fingerprint }: Judged, codes: string): Refused {
  const { name, version } = boundary.product;
  const message = `no owner approved the boundary ${short(fingerprint)} of ${name} ${version} for ${boundary.environment}: ${codes}`;
  return new Refused('boundary_unapproved', message, 'its owners run `ambit review status`, and approve it', []);
}
