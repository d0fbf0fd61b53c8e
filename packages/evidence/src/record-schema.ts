import type { RecordBody, RecordEnvelope } from './record.ts';

// What records are, for whoever reads the log without this package. The compiler holds the names of members against the types.

type Members<Body> = { readonly [Name in keyof Required<Omit<Body, 'type'>>]: object };
type Bodies = { readonly [Type in RecordBody['type']]: Members<Extract<RecordBody, { readonly type: Type }>> };

const text = { type: 'string' };
const texts = { type: 'array', items: text };
const count = { type: 'integer', minimum: 0 };
const sometimes = { type: ['string', 'null'] };
const about = (schema: object, description: string): object => ({ ...schema, description });
const object = (properties: Readonly<Record<string, object>>, optional: readonly string[] = []): object => ({
  type: 'object',
  properties,
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
  additionalProperties: false,
});
const digest = about({ ...text, pattern: '^sha256:[0-9a-f]*$' }, 'SHA-256, hexadecimal');
const session = about(text, 'Id of the session');
const verifier = about(text, 'Verifier key, as name+id+key');
const subject = {
  type: 'object',
  properties: { tenant: text, principal: text, kind: text, roles: texts },
  description: 'Who asks, and for an agent on whose behalf. Never a credential',
};
const sealed = about(
  object({ key: about(text, 'Id of the key'), text: about(text, 'Base64 of salt, ciphertext and tag') }),
  'What the contract has sealed: encrypted under a key that can be destroyed',
);
const replay = about(object({ of: session, by: subject }), 'The session that it repeats, and because of whom');

const signed = { digest: about(digest, 'Of the statement'), who: text, key: text, reason: text, signedAt: text };
const opening = about(object({ ...signed, until: text }), 'What an operator signed');
const opened = { product: text, version: text, environment: text, fingerprint: digest };
const cause = about({ enum: ['files', 'signal'] }, 'Files that changed, or an operator');

const promised = {
  kind: about({ enum: ['rule', 'service-level'] }, 'A rule of quality, or how old data may be'),
  table: text,
  column: sometimes,
  name: about(text, 'As the boundary names it'),
};

const envelope: Members<RecordEnvelope> = {
  v: { const: 1 },
  seq: about(count, 'Position in the log, from 0, without gaps'),
  at: about({ ...text, pattern: '^[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}\\.[0-9]{6}Z$' }, 'UTC'),
  monotonic: about({ ...text, pattern: '^[0-9]+$' }, 'Nanoseconds of a clock that cannot be set'),
  boot: about(text, 'The process run that wrote it'),
};

const bodies: Bodies = {
  'log.opened': {
    log: about(text, 'Identity of the log'),
    ambit: about(text, 'Version of Ambit'),
    key: verifier,
    recovered: object({ records: count, tornBytes: count }),
  },
  'log.closed': {},
  'key.rotated': { from: verifier, to: verifier, signatures: object({ from: text, to: text }) },
  'evidence.pruned': { segment: count, first: count, before: text },
  'seal.destroyed': {
    key: about(text, 'Id of the key'),
    period: about(text, 'In which it sealed'),
    destroyed: about(text, 'When it was deleted: UTC'),
  },
  'server.lost': {
    server: about(text, 'The process run that is lost: `boot` of its records'),
    sessions: about(count, 'Its sessions that had no outcome'),
  },
  'evidence.gap': { reason: text },
  'boundary.loaded': {
    product: text,
    version: text,
    environment: text,
    fingerprint: digest,
    boundary: about({ type: 'object' }, 'Contract and environment, resolved. Never a secret'),
  },
  'source.drifted': {
    product: text,
    version: text,
    environment: text,
    fingerprint: digest,
    table: text,
    state: about({ enum: ['open', 'closed'] }, 'Closed: no session reads it until it is as declared'),
    drift: about({ type: 'array' }, 'How data and contract differ: see `Drift` in engine-protocol.json'),
    files: about(count, 'Files that were looked at'),
    filesTotal: about(count, 'Files that there are'),
    accesses: about({ type: 'array' }, 'What was read to tell'),
  },
  'quality.started': {
    check: about(text, 'Id of the check'),
    ...opened,
    review: about(digest, 'See `review.applied`'),
    clockMicros: about({ type: 'integer' }, 'What now() says: microseconds since 1970'),
    promises: { type: 'array', items: object(promised), description: 'What the data is about to be held against' },
  },
  'quality.checked': {
    check: about(text, 'Id of the check'),
    started: about(count, '`seq` of `quality.started`'),
    ...opened,
    results: {
      type: 'array',
      items: object({
        ...promised,
        status: about({ enum: ['passed', 'failed', 'error'] }, 'error: there is no number to compare'),
        severity: text,
        promise: about(text, 'What the number must be'),
        value: about(sometimes, 'The one number that the rule asks for. It is for the owner'),
        code: about(sometimes, 'Why there is none'),
        micros: count,
      }),
      description: 'In the order in which they were named',
    },
    closed: about(texts, 'Tables that nobody reads from here on because of it'),
    accesses: about({ type: 'array' }, 'What was read to tell; of more than a thousand objects the first by name'),
    objects: about(count, 'Objects that were read'),
  },
  'review.applied': {
    digest: about(digest, 'Of all the members after it'),
    ...opened,
    from: about(text, 'Fingerprint of what it took the place of, or `nothing`'),
    root: about(sometimes, 'The first boundary of its chain of reviews'),
    effect: { enum: ['widens', 'narrows', 'changes'] },
    needed: about(count, 'People that the difference needs'),
    reviews: { type: 'array', items: object({ ...signed, expires: text }) },
    breakGlass: { anyOf: [{ type: 'null' }, opening], description: 'There where no owner approved it' },
  },
  'break-glass.opened': { ...opened, opening },
  'break-glass.ended': {
    ...opened,
    opening: about(digest, 'Of the statement of the opening'),
    cause: { enum: ['over', 'closed', 'approved', 'stopped'] },
  },
  'reload.applied': {
    environment: text,
    cause,
    products: about(
      { type: 'array', items: object({ product: text, version: text, fingerprint: digest }) },
      'All that is served',
    ),
  },
  'reload.refused': {
    environment: text,
    cause,
    problems: about(texts, 'As the operator was told'),
  },
  'credential.issued': {
    digest,
    reference: about(text, 'As contracts name it'),
    product: text,
    keyId: about(text, "Identifier of the key, which the store's own records name. Not a secret"),
    role: about(sometimes, 'The role that was taken on for it. Null: keys of an account'),
    scope: about({ type: ['object', 'null'] }, 'What its session policy names, by bucket. Null: what the account may'),
    expires: about(sometimes, 'UTC, ISO 8601. Null: for good'),
  },
  'grant.issued': { digest, grant: about({ type: 'object' }, 'What policy allowed, with every decision') },
  'session.intent': {
    session,
    request: text,
    product: text,
    version: text,
    environment: text,
    fingerprint: about(digest, 'Of the boundary: see `boundary.loaded`'),
    grant: about(digest, 'See `grant.issued`'),
    subject,
    purpose: text,
    scope: text,
    statement: object({
      kind: { enum: ['sql', 'query'] },
      name: about(sometimes, 'Name of the named query'),
      sql: text,
      digest: about(
        { ...text, pattern: '^(hmac-)?sha256:[0-9a-f]*$' },
        "SHA-256 of the SQL's bytes; where the SQL is sealed, an HMAC of what was asked",
      ),
      parameters: { type: 'object' },
    }),
    format: text,
    limits: { type: 'object' },
    credentials: about({ type: 'object' }, 'References by store; never a secret'),
    traceparent: sometimes,
    review: about(digest, 'See `review.applied`'),
    clockMicros: about({ type: 'integer' }, 'What now() says: microseconds since 1970'),
    replay,
    sealed,
  },
  'session.outcome': {
    session,
    intent: about(count, '`seq` of the intent'),
    status: { enum: ['completed', 'refused', 'failed', 'cancelled', 'crashed', 'orphaned'] },
    error: {
      anyOf: [{ type: 'null' }, object({ code: text, message: text, detail: sometimes })],
      description: '`detail` is for the owner: it may quote values that policy hides',
    },
    rows: about(count, 'Delivered'),
    bytes: about(count, 'Delivered'),
    engine: about({ type: ['object', 'null'] }, 'Report of the engine: see engine-protocol.json'),
    issued: about(
      {
        type: 'array',
        items: object({ reference: text, digest, keyId: text, role: sometimes, expires: sometimes }),
      },
      'What its stores could be asked with: see `credential.issued`',
    ),
    steps: { type: 'object', additionalProperties: count, description: 'Microseconds of each step of the one path' },
    sealed,
  },
  'request.refused': {
    request: text,
    product: sometimes,
    fingerprint: sometimes,
    subject,
    purpose: sometimes,
    code: text,
    message: text,
    decisions: { type: 'array' },
    replay,
    sealed,
  },
};

const OPTIONAL = ['clockMicros', 'issued', 'replay', 'review', 'sealed'];

/** JSON Schema of a record, for publication. */
export function recordSchema(): object {
  const types = Object.entries(bodies).map(([type, members]) => [
    type,
    object({ ...envelope, type: { const: type }, ...members }, OPTIONAL),
  ]);
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    $id: 'urn:ambit:schema:evidence-record',
    description:
      'A record of the evidence: one line of a segment, after its digest. Canonical JSON, whole numbers only',
    definitions: Object.fromEntries(types) as object,
    oneOf: types.map(([type]) => ({ $ref: `#/definitions/${type as string}` })),
  };
}
