import { Ajv } from 'ajv';
import { type Static, Type } from 'typebox';
import { type Envelope, statementDigest } from './envelope.ts';

// What is signed: in-toto statements (v1) about a boundary, with predicates of Ambit's own.

/** Predicate of a review: somebody approves that a boundary takes the place of another. */
export const REVIEW_TYPE = 'urn:ambit:predicate:boundary-review:v1';
/** Predicate of a revocation: somebody takes a review back. */
export const REVOCATION_TYPE = 'urn:ambit:predicate:boundary-revocation:v1';
/** Predicate of break-glass: an operator opens a boundary that no owner approved. */
export const BREAK_GLASS_TYPE = 'urn:ambit:predicate:break-glass:v1';
/** What the first boundary of a product is reviewed against. */
export const NOTHING = 'nothing';

const strict = { additionalProperties: false } as const;
const text = (description: string, maxLength = 4_000) => Type.String({ minLength: 1, maxLength, description });
const Digest = (description: string) => Type.String({ pattern: '^sha256:[0-9a-f]{64}$', description });
const Instant = (description: string) =>
  Type.String({ pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$', description });
const Count = (description: string) => Type.Integer({ minimum: 0, description });
const Who = Type.Object(
  { name: text('As the list has it', 63), key: text('Name of the key, as `ssh-keygen -l` shows it', 100) },
  { ...strict, description: 'Who signs' },
);
const subject = Type.Tuple(
  [
    Type.Object(
      {
        name: text('The product', 63),
        digest: Type.Object({ sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }) }, strict),
      },
      strict,
    ),
  ],
  { description: 'The boundary: its fingerprint', additionalItems: false },
);
const statement = <const T extends string, P extends Parameters<typeof Type.Object>[0]>(type: T, predicate: P) =>
  Type.Object(
    {
      _type: Type.Literal('https://in-toto.io/Statement/v1'),
      subject,
      predicateType: Type.Literal(type),
      predicate: Type.Object(predicate, strict),
    },
    strict,
  );
const about = {
  product: text('Name of the product', 63),
  version: text('Its version', 63),
  environment: text('Name of the environment', 63),
  reason: text('Why'),
  who: Who,
  signedAt: Instant('When it was signed, UTC'),
};

export const ReviewStatement = statement(REVIEW_TYPE, {
  ...about,
  from: Type.Union([Type.Literal(NOTHING), Digest('Fingerprint')], { description: 'What it takes the place of' }),
  to: Digest('Fingerprint of what is approved'),
  effect: Type.Union([Type.Literal('widens'), Type.Literal('narrows'), Type.Literal('changes')], {
    description: 'What the difference does, as it was shown to whoever signs',
  }),
  difference: Digest('Of the difference, as it was shown'),
  authors: Type.Array(text('E-mail address', 320), {
    minItems: 1,
    maxItems: 1_000,
    uniqueItems: true,
    description: 'Who wrote the change: their reviews do not count',
  }),
  expires: Instant('Until when the boundary is served because of this, UTC'),
  tests: Type.Optional(
    Type.Object(
      {
        digest: Digest('Of the report'),
        fingerprint: Digest('Of the boundary that was tested'),
        passed: Count('Tests that passed'),
        failed: Count('Tests that did not'),
      },
      { ...strict, description: 'What the policy tests said' },
    ),
  ),
  replay: Type.Optional(
    Type.Object(
      {
        digest: Digest('Of the report, which names subjects: this does not'),
        sessions: Count('Recorded sessions and refused requests that were looked at'),
        gain: Count('Of those, that would see more, or be let in'),
        lose: Count('Of those, that would see less, or be refused'),
        effects: Type.Object(
          {
            same: Count('Would see the same'),
            more: Count('Would see more'),
            less: Count('Would see less'),
            mixed: Count('Would see more and less, or what only a reader of the SQL can tell'),
            refused: Count('Would be refused'),
            opened: Count('Were refused and would be let in'),
          },
          strict,
        ),
        who: Type.Array(
          Type.Object(
            {
              roles: Type.Array(Type.String({ maxLength: 1_000 }), { maxItems: 1_000 }),
              purpose: Type.String({ maxLength: 1_000 }),
              effect: Type.Union([
                Type.Literal('more'),
                Type.Literal('less'),
                Type.Literal('mixed'),
                Type.Literal('refused'),
                Type.Literal('opened'),
              ]),
              subjects: Count('Different subjects'),
              sessions: Count('Their sessions and refused requests'),
            },
            strict,
          ),
          { maxItems: 1_000, description: 'Who gains and who loses, those with the most sessions first' },
        ),
      },
      { ...strict, description: 'What recorded sessions would have been' },
    ),
  ),
});

export const RevocationStatement = statement(REVOCATION_TYPE, {
  ...about,
  review: Digest('Of the payload of the review that is taken back'),
  scope: Type.Union([Type.Literal('all'), Type.Literal('itself')], {
    description: '`all`: what was approved on top of it falls too. `itself`: that stays',
  }),
});

export const BreakGlassStatement = statement(BREAK_GLASS_TYPE, {
  ...about,
  until: Instant('When it ends, UTC'),
});

export type ReviewStatement = Static<typeof ReviewStatement>;
/** What the policy tests said, as a review carries it. */
export type SignedTests = NonNullable<ReviewStatement['predicate']['tests']>;
/** What recorded sessions would have been, as a review carries it. */
export type SignedReplay = NonNullable<ReviewStatement['predicate']['replay']>;
export type RevocationStatement = Static<typeof RevocationStatement>;
export type BreakGlassStatement = Static<typeof BreakGlassStatement>;

/** What Ambit signs. */
export type Statement = ReviewStatement | RevocationStatement | BreakGlassStatement;

/** A statement in its envelope. Its signature is still to be looked at. */
export interface Signed<S extends Statement> {
  /** Path of the file. */
  readonly file: string;
  /** `sha256:...` of its payload. */
  readonly digest: string;
  readonly statement: S;
  readonly envelope: Envelope;
}

const ajv = new Ajv({ strict: false });
const checks = {
  [REVIEW_TYPE]: ajv.compile(ReviewStatement),
  [REVOCATION_TYPE]: ajv.compile(RevocationStatement),
  [BREAK_GLASS_TYPE]: ajv.compile(BreakGlassStatement),
};

/** The statement of an envelope; null if it is none of ours. */
export function signedStatement(file: string, envelope: Envelope): Signed<Statement> | null {
  const read = envelope.statement as Statement | null;
  const check = checks[read?.predicateType as keyof typeof checks] as (typeof checks)[typeof REVIEW_TYPE] | undefined;
  if (check === undefined || !check(read)) return null;
  const given: Statement = read;
  const { predicate } = given;
  const dates = [predicate.signedAt, 'expires' in predicate ? predicate.expires : null, untilOf(predicate)];
  // A date of a form, which no calendar has, would never be over.
  if (dates.some((at) => at !== null && !isInstant(at))) return null;
  if (given.predicateType === REVIEW_TYPE && subjectDigest(given) !== given.predicate.to) return null;
  return { file, digest: statementDigest(envelope.payload), statement: given, envelope };
}

function untilOf(predicate: Statement['predicate']): string | null {
  return 'until' in predicate ? predicate.until : null;
}

/** The fingerprint that a statement is about. */
export function subjectDigest({ subject: [{ digest }] }: Statement): string {
  return `sha256:${digest.sha256}`;
}

/** The subject of a statement about a boundary. */
export function subjectOf(product: string, fingerprint: string): Statement['subject'] {
  return [{ name: product, digest: { sha256: fingerprint.replace(/^sha256:/, '') } }];
}

/** A moment as statements have it: UTC, whole seconds. */
export function instant(ms: number): string {
  return new Date(Math.floor(ms / 1_000) * 1_000).toISOString().replace('.000Z', 'Z');
}

function isInstant(at: string): boolean {
  const ms = Date.parse(at);
  return Number.isFinite(ms) && instant(ms) === at;
}

/** JSON Schema of what is signed, for publication. */
export function reviewSchema(): object {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    $id: 'urn:ambit:schema:review',
    description: 'The payload of a review, a revocation or a break-glass: an in-toto statement, as canonical JSON',
    oneOf: [ReviewStatement, RevocationStatement, BreakGlassStatement].map(
      (schema) => JSON.parse(JSON.stringify(schema)) as object,
    ),
  };
}
