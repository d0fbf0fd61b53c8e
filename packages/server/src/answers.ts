// What routes answer, as documents tell it.

const text = { type: 'string' };
const flag = { type: 'boolean' };
const whole = { type: 'integer' };
const texts = { type: 'array', items: text };
const anything = { type: 'object', additionalProperties: true };

/** An object of exactly these members. */
function exactly(
  properties: Readonly<Record<string, object>>,
  optional: Readonly<Record<string, object>> = {},
): object {
  const required = Object.keys(properties);
  return { type: 'object', required, properties: { ...properties, ...optional }, additionalProperties: false };
}

const listOf = (items: object, description?: string): object => ({
  type: 'array',
  items,
  ...(description === undefined ? {} : { description }),
});
const nullable = (schema: object): object => ({ anyOf: [schema, { type: 'null' }] });

const policies = listOf(text, 'Policies that decided, as file#id');
const column = exactly({ name: text, type: { ...text, description: 'Type of the contract' }, nullable: flag });

/** A result in JSON: rows of any columns. */
export const Rows = resultOf({ type: 'array', items: {} });

/** A result in JSON, of rows and columns of a schema. */
export function resultOf(row: object, columns: object = listOf(column)): object {
  return exactly({
    columns,
    rows: listOf(row, 'Values in the order of the columns'),
    complete: { const: true, description: 'Only there when all rows are' },
  });
}

const filter = exactly({
  id: text,
  description: text,
  applies: flag,
  exemptedBy: listOf(text, 'Policies that lift it for you'),
  missingClaims: listOf(text, 'Claims without which the table refuses'),
});
const mask = exactly({ id: text, description: text, applies: flag, exemptedBy: texts });

const review = {
  ...exactly({ state: { type: 'string', enum: ['approved', 'break-glass', 'refused'] }, until: nullable(text) }),
  description: 'Whether owners approved the boundary, and until when. Absent where nobody has to',
};

const deprecation = {
  ...exactly({
    since: { ...text, description: 'A date' },
    sunset: { ...nullable(text), description: 'From this date on it is refused' },
    successor: { ...nullable(text), description: 'The version to use instead' },
    notice: nullable(text),
  }),
  description: 'There where the version comes to its end',
};

export const Products = exactly({
  products: listOf(
    exactly(
      {
        name: text,
        version: text,
        tenant: text,
        description: text,
        owner: text,
        fingerprint: text,
        purposes: listOf(exactly({ name: text, description: text }), 'Those that you may open it for'),
      },
      { review, deprecation },
    ),
  ),
});

export const Product = exactly(
  {
    name: text,
    version: text,
    tenant: text,
    description: text,
    owner: text,
    environment: text,
    fingerprint: { ...text, description: 'The boundary' },
    purpose: text,
    determinedBy: policies,
    tables: listOf(
      exactly({
        name: text,
        description: text,
        closed: { ...flag, description: 'Its data is not what the contract declares: no session reads it now' },
        determinedBy: policies,
        filters: listOf(filter),
        columns: listOf(
          exactly({
            name: text,
            type: text,
            nullable: flag,
            description: text,
            determinedBy: policies,
            masks: listOf(mask),
          }),
        ),
      }),
    ),
    views: listOf(exactly({ name: text, description: text, columns: listOf(column), determinedBy: policies })),
    functions: listOf(exactly({ name: text, determinedBy: policies })),
    queries: listOf(
      exactly({
        name: text,
        description: text,
        parameters: listOf(
          exactly({
            name: text,
            type: text,
            description: text,
            default: {
              anyOf: [text, { type: 'number' }, flag, { type: 'null' }],
              description: 'Null: it must be given',
            },
            minimum: nullable(whole),
            maximum: nullable(whole),
          }),
        ),
        columns: listOf(column),
      }),
    ),
    limits: { type: 'object', additionalProperties: whole },
  },
  { deprecation },
);

const status = { type: 'string', enum: ['completed', 'refused', 'failed', 'cancelled', 'crashed', 'orphaned'] };

export const Sessions = exactly({
  sessions: listOf(
    exactly({
      session: text,
      at: text,
      product: text,
      purpose: text,
      statement: { ...text, description: 'Name of the named query, or the SQL' },
      status: { type: 'string', enum: ['running', ...status.enum] },
      rows: nullable(whole),
    }),
  ),
});

const envelope = { v: { const: 1 }, seq: whole, at: text, monotonic: text, boot: text };

const note = { ...text, description: 'A signed note, after C2SP tlog-checkpoint' };
const verifierKey = { ...text, description: 'Verifier key, as name+id+key' };
const hashes = listOf({ ...text, description: 'SHA-256 in base64' });

export const Head = exactly({
  key: verifierKey,
  checkpoint: note,
  cosigned: {
    anyOf: [note, { type: 'null' }],
    description: 'The newest checkpoint that a witness cosigned; null where there is none',
  },
});
export const Consistency = exactly({ key: verifierKey, checkpoint: note, proof: hashes });
export const Receipt = exactly({
  format: { const: 'ambit/receipt/v1' },
  session: text,
  checkpoint: note,
  key: verifierKey,
  entries: listOf(
    exactly({
      index: { ...whole, description: 'Position of the record in the log' },
      entry: { ...text, description: 'The leaf: canonical JSON with the digest of the record' },
      proof: hashes,
    }),
  ),
});

export const Session = exactly(
  {
    session: text,
    intent: exactly(
      {
        ...envelope,
        type: { const: 'session.intent' },
        session: text,
        request: text,
        product: text,
        version: text,
        environment: text,
        fingerprint: text,
        grant: text,
        subject: anything,
        purpose: text,
        scope: text,
        statement: exactly({
          kind: { type: 'string', enum: ['sql', 'query'] },
          name: nullable(text),
          sql: text,
          digest: text,
          parameters: anything,
        }),
        format: text,
        limits: anything,
        credentials: { type: 'object', additionalProperties: nullable(text), description: 'Reference by store' },
        traceparent: nullable(text),
      },
      {
        review: { ...text, description: 'Because of what the boundary was served' },
        clockMicros: { ...whole, description: 'What now() said: microseconds since 1970 UTC' },
        replay: { ...exactly({ of: text, by: anything }), description: 'The session that it repeats, and for whom' },
      },
    ),
    outcome: {
      description: 'Null while it runs',
      ...nullable(
        exactly(
          {
            ...envelope,
            type: { const: 'session.outcome' },
            session: text,
            intent: whole,
            status,
            error: nullable(exactly({ code: text, message: text, detail: nullable(text) })),
            rows: whole,
            bytes: whole,
            engine: { ...nullable(anything), description: 'What the engine reported' },
            steps: { type: 'object', additionalProperties: whole, description: 'Microseconds' },
          },
          {
            issued: listOf(
              exactly({ reference: text, digest: text, keyId: text, role: nullable(text), expires: nullable(text) }),
              'What its stores could be asked with',
            ),
          },
        ),
      ),
    },
    grant: { ...nullable(anything), description: 'What the policies granted, and which decided' },
    boundary: { ...nullable(anything), description: 'The boundary, as far as you may know it' },
    review: { ...nullable(anything), description: 'The reviews because of which the boundary was served' },
    whole: { ...flag, description: 'Whether this is all of it, or what the subject of the session may know' },
  },
  {
    seal: {
      ...exactly({
        state: { type: 'string', enum: ['opened', 'destroyed', 'unknown', 'broken'] },
        key: { ...text, description: 'Id of the key' },
        destroyed: { ...nullable(text), description: 'When the key was destroyed: UTC' },
      }),
      description: 'There where the contract has literals sealed: whether they could be read',
    },
  },
);

const ended = exactly({
  status,
  code: { ...nullable(text), description: 'Stable code of what ended it' },
  rows: whole,
  bytes: whole,
  resultDigest: { ...nullable(text), description: 'SHA-256 of the result as it was delivered' },
});
const pair = exactly({ recorded: text, now: nullable(text) });

export const Replayed = exactly({
  session: text,
  verdict: {
    type: 'string',
    enum: ['same', 'different', 'undecided', 'input_gone', 'boundary_gone', 'grant_changed'],
  },
  reason: { ...text, description: 'For people' },
  boundary: { ...pair, description: 'Fingerprints' },
  grant: { ...pair, description: 'Digests' },
  clock: { type: 'string', enum: ['recorded', 'of the intent'], description: 'Whose time now() said' },
  recorded: ended,
  runs: listOf(exactly({ session: text, ended }), 'Sessions of the replay, in order'),
  inputs: listOf(
    exactly({
      store: text,
      object: text,
      change: { type: 'string', enum: ['changed', 'gone', 'not opened', 'new'] },
      recorded: { ...nullable(text), description: 'Version that the recorded session read' },
      now: { ...nullable(text), description: 'Version that the replay read' },
    }),
    'Objects that are not what they were',
  ),
});

export const Alive = exactly(
  {
    status: { const: 'alive' },
    loadedAt: { type: 'string', format: 'date-time', description: 'Since when what is served is served' },
    reloadRefused: {
      ...nullable(exactly({ at: { type: 'string', format: 'date-time' }, problems: { type: 'integer', minimum: 1 } })),
      description: 'Files have changed since, and are wrong: what was served before is served still',
    },
  },
  {
    breakGlass: { ...whole, description: 'Products that an operator opened though no owner approved them' },
    unapproved: { ...whole, description: 'Products that are not served because no owner approved them' },
  },
);
export const Ready = exactly({ status: { const: 'ready' } });

/** A document of this kind. */
export const OpenApi = {
  type: 'object',
  required: ['openapi', 'info', 'paths'],
  properties: { openapi: { const: '3.1.0' }, info: anything, paths: anything },
  additionalProperties: true,
};

/** A boundary, whole: what its fingerprint covers. */
export const Boundary = {
  type: 'object',
  required: ['format', 'product', 'environment'],
  properties: { format: { const: 'ambit/boundary/v1' }, product: anything, environment: text },
  additionalProperties: true,
};

/** A response that is JSON. */
export function json(description: string, schema: object): object {
  return { description, content: { 'application/json': { schema } } };
}

/** What a result's headers say. */
const headers = {
  'Ambit-Session': { type: 'string', pattern: '^ses_[0-9a-f]{32}$', description: 'Id of the session' },
  'Ambit-Version': { type: 'string', description: 'The version of the product that answered' },
  'Ambit-Fingerprint': { type: 'string', pattern: '^sha256:[0-9a-f]{64}$', description: 'The boundary it ran in' },
  'Ambit-Evidence': { type: 'integer', minimum: 0, description: 'Position of its intent in the evidence log' },
  'Ambit-Purpose': { type: 'string', description: 'Its purpose' },
  Deprecation: {
    type: 'string',
    pattern: '^@-?[0-9]+$',
    description: 'Since when the version is deprecated: RFC 9745',
  },
  Sunset: { type: 'string', description: 'When the version ends: RFC 8594' },
  Link: { type: 'string', description: 'The version to use instead, as successor-version' },
};

/** Whether every result has a header. */
export const isAlways = (name: string): boolean => name.startsWith('Ambit-');

/** A result in every format, its JSON being of a schema. `finished`: as a document has it, not as a route declares it. */
export function result(rows: object, finished = false): object {
  const always = Object.entries(headers).map(([name, { description, ...schema }]) => [
    name,
    { description, schema, required: isAlways(name) },
  ]);
  return {
    description: 'The result, in the format that was asked for',
    headers: finished ? (Object.fromEntries(always) as object) : headers,
    content: {
      'application/json': { schema: rows },
      'application/x-ndjson': { schema: { type: 'string', description: 'An object a line' } },
      'text/csv': { schema: { type: 'string', description: 'RFC 4180, with a header' } },
      'application/vnd.apache.arrow.stream': { schema: { type: 'string', format: 'binary' } },
    },
  };
}
