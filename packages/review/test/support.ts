import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import {
  type Boundary,
  difference,
  type Effect,
  fingerprint,
  keyId,
  keyText,
  type Signer,
  textualImplication,
} from '@ambit/contract';
import {
  type Archive,
  type Asked,
  type Differ,
  differencesTo,
  instant,
  type Named,
  NOTHING,
  readEnvelope,
  REVIEW_NAMESPACE,
  REVIEW_TYPE,
  type ReviewStatement,
  REVOCATION_TYPE,
  type RevocationStatement,
  type Signed,
  signedStatement,
  type SigningKey,
  signStatement,
  stepsTo,
  type Statement,
  subjectOf,
  type Verdict,
  verdictOf,
  withEffects,
} from '../src/index.ts';

/** Noon of a day on which everything happens. */
export const NOON = Date.parse('2026-11-24T12:00:00Z');
export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;

/** Somebody with a key of their own. */
export interface Person {
  readonly name: string;
  readonly signer: SigningKey;
  readonly listed: Signer;
}

export function person(name: string): Person {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  return { name, signer: keySigner(publicKey, privateKey), listed: listed(name, keyText(publicKey) ?? '') };
}

export function keySigner(publicKey: KeyObject, privateKey: KeyObject): SigningKey {
  return { key: keyText(publicKey) ?? '', sign: async (message) => sign(null, message, privateKey) };
}

export function listed(name: string, key: string): Signer {
  return { name, keys: [key], emails: [`${name}@example.org`] };
}

type Owner = Boundary['product']['owner'];

/** A small boundary; its text makes it another. */
export function boundary(owner: Partial<Owner>, text = 'v1', more: Partial<Boundary> = {}): Named {
  const limits = { timeoutMs: 1, memoryBytes: 1, spillBytes: 1, rows: 1, bytes: 1, statementBytes: 1 };
  const whole: Boundary = {
    format: 'ambit/boundary/v1',
    product: {
      name: 'shop',
      version: '1.0.0',
      tenant: 'north',
      description: text,
      owner: { team: 'data', reviewers: [], ...owner },
    },
    environment: 'production',
    purposes: { reporting: { description: '' } },
    claims: {},
    anonymous: null,
    session: { scope: 'request', maxScope: 'request' },
    stores: {},
    catalogs: {},
    tables: {},
    views: {},
    functions: [],
    settings: {},
    limits: { ...limits, statementNodes: 1, statementDepth: 1, planNodes: 1, concurrency: 1, queue: 1 },
    rowFilters: {},
    masks: {},
    queries: {},
    policies: {},
    engine: { name: 'datafusion', version: '1' },
    ...more,
  };
  return { boundary: whole, fingerprint: fingerprint(whole) };
}

export type Predicate = ReviewStatement['predicate'];

/** The statement of a review. */
export function reviewOf(by: Person, from: Named | null, to: Named, more: Partial<Predicate> = {}): ReviewStatement {
  const { product, environment } = to.boundary;
  return {
    _type: 'https://in-toto.io/Statement/v1',
    subject: subjectOf(product.name, to.fingerprint),
    predicateType: REVIEW_TYPE,
    predicate: {
      product: product.name,
      version: product.version,
      environment,
      from: from?.fingerprint ?? NOTHING,
      to: to.fingerprint,
      effect: 'widens',
      difference: `sha256:${'0'.repeat(64)}`,
      authors: ['author@example.org'],
      reason: 'looked at it',
      who: { name: by.name, key: keyId(by.signer.key) },
      signedAt: instant(NOON),
      expires: instant(NOON + 30 * DAY),
      ...more,
    },
  };
}

/** A statement, signed, and read again from its file. */
export async function signed<S extends Statement>(statement: S, by: SigningKey): Promise<Signed<S> & { text: string }> {
  const text = await signStatement(statement, by, REVIEW_NAMESPACE);
  const envelope = readEnvelope(text);
  const read = envelope === null ? null : signedStatement(`${statement.predicate.who.name}.json`, envelope);
  if (read === null) throw new Error('what was signed cannot be read');
  return { ...(read as Signed<S>), text };
}

export async function approval(by: Person, from: Named | null, to: Named, more: Partial<Predicate> = {}) {
  return signed(reviewOf(by, from, to, more), by.signer);
}

export async function revocation(
  by: Person,
  review: Signed<ReviewStatement>,
  scope: 'all' | 'itself' = 'all',
): Promise<Signed<RevocationStatement>> {
  const { product, version, environment, to } = review.statement.predicate;
  return signed(
    {
      _type: 'https://in-toto.io/Statement/v1',
      subject: subjectOf(product, to),
      predicateType: REVOCATION_TYPE,
      predicate: {
        product,
        version,
        environment,
        reason: 'a mistake',
        who: { name: by.name, key: keyId(by.signer.key) },
        signedAt: instant(NOON),
        review: review.digest,
        scope,
      },
    } satisfies RevocationStatement,
    by.signer,
  );
}

/** Says what differs; of one that does as it is told, what that does. */
export function differing(effect?: Effect): Differ {
  const policies = { lines: () => [], naming: () => [], exempting: () => [] };
  return async (from, to) => {
    const found = await difference(from?.boundary ?? null, to.boundary, { ...textualImplication, policies });
    return effect === undefined || from === null ? found : { ...found, effect };
  };
}

/** Whether a boundary is approved an hour after noon. */
export async function judged(
  files: Archive,
  to: Named,
  { differ = differing(), now = NOON + HOUR, ...more }: Partial<Omit<Asked, 'differences'>> & { differ?: Differ } = {},
): Promise<Verdict> {
  const looked = await withEffects(files, differ);
  const differences = await differencesTo(looked, to, stepsTo(looked, to, now), differ);
  return verdictOf(looked, to, { now, differences, ...more });
}

/** What files would hold. */
export function archive(
  boundaries: readonly Named[],
  reviews: readonly Signed<ReviewStatement>[],
  revocations: readonly Signed<RevocationStatement>[] = [],
): Archive {
  return {
    reviews,
    revocations,
    boundaries: new Map(boundaries.map((one) => [one.fingerprint, one.boundary])),
    refusals: [],
  };
}
