import { Type, type Static } from 'typebox';
import { Drift } from './drift-schema.ts';
import { EvidenceDatabase } from './evidence-database-schema.ts';
import { Evidence, SealPeriod } from './evidence-schema.ts';
import { Exports } from './exports-schema.ts';
import { BreakGlass, Owner } from './owner-schema.ts';
import { QualitySchedule } from './quality-schedule-schema.ts';
import { Quality, ServiceLevels } from './quality/schema.ts';
import { Duration, map, NAME, oneOf, opt, PATH, path, strict, text } from './schema-parts.ts';
import { Credentials, Store, StoreBinding } from './store-schema.ts';
import { SIZE_PATTERN } from './units.ts';
import { Witnesses } from './witnesses-schema.ts';
import { Deprecation, Version } from './version-schema.ts';

// Draft-07-safe keywords only: editors complete from what is emitted here, and many know no later draft.

/** Names that stand in SQL without quotes. */
const SQL_NAME = '^[a-z][a-z0-9_]{0,62}$';
const COLUMN_NAME = '^(?!__)[^\\u0000-\\u001f"]{1,128}$';

const ClaimValue = Type.Union([Type.String(), Type.Number(), Type.Boolean()]);
const ScalarType = Type.String({
  description:
    'boolean, tinyint, smallint, int, bigint, real, double, decimal(P, S), string, binary, date, time, timestamp, timestamptz',
});
const Size = (description: string) =>
  Type.String({ pattern: SIZE_PATTERN, description: `${description}: 64KiB, 512MiB, 2GiB` });
const Count = (description: string, minimum = 1) => Type.Integer({ minimum, maximum: 1_000_000_000_000, description });
const Scope = oneOf(['request', 'conversation', 'purpose', 'product', 'tenant'] as const, {
  description: 'How long and with whom a session may be shared',
});

export const Limits = Type.Object(
  {
    timeout: opt(Duration('From arrival to the last byte, queues included')),
    memory: opt(Size('Memory that a session may reserve')),
    spill: opt(Size('Spill files of a session; 0B turns spilling off')),
    rows: opt(Count('Rows of a result')),
    bytes: opt(Size('Bytes of a result')),
    statement: opt(Size('Length of a statement')),
    nodes: opt(Count('Parts of a parsed statement')),
    depth: opt(Count('Nesting of a parsed statement, flat operator chains counted as they nest')),
    steps: opt(Count('Steps of a plan once views and WITH are expanded')),
    concurrency: opt(Count('Sessions that a tenant has on the version at once')),
    queue: opt(Count('Requests of a tenant that may wait for one of those', 0)),
  },
  { ...strict, description: 'What a session may use up. All are hard' },
);

const Settings = Type.Record(
  Type.String({ pattern: '^datafusion\\.' }),
  Type.Union([Type.String(), Type.Number(), Type.Boolean()]),
  { description: 'DataFusion settings by their full key', additionalProperties: false },
);

const Column = Type.Object(
  {
    type: Type.String({
      description:
        'boolean, tinyint, smallint, int, bigint, real, double, decimal(P, S), string, binary, date, time, timestamp, timestamptz, list<T>, struct<name: T>',
    }),
    nullable: opt(Type.Boolean({ description: 'Whether the source may hold NULL. Default: true' })),
    description: opt(text('What it means')),
    tags: opt(
      Type.Array(Type.String({ pattern: NAME }), {
        description: 'What policies and masks can name instead of the column',
        uniqueItems: true,
      }),
    ),
    quality: opt(Quality),
  },
  strict,
);

const Parameter = Type.Object(
  {
    type: ScalarType,
    description: opt(text('What it means')),
    default: opt(
      Type.Union([Type.String(), Type.Number(), Type.Boolean()], { description: 'What it is when it is not given' }),
    ),
    minimum: opt(Type.Integer({ description: 'The least that a whole number may be' })),
    maximum: opt(Type.Integer({ description: 'The most that a whole number may be' })),
  },
  strict,
);

export const Contract = Type.Object(
  {
    apiVersion: Type.Literal('ambit/v1', { description: 'Version of this format' }),
    kind: Type.Literal('DataProduct', { description: 'What the file declares' }),
    name: Type.String({ pattern: SQL_NAME, description: 'Name of the product, in URLs and SQL' }),
    version: Version('Semantic version'),
    deprecation: opt(Deprecation),
    tenant: Type.String({ pattern: NAME, description: 'The tenant that owns the product' }),
    description: opt(text('What the product is')),
    owner: Owner,
    purposes: map(NAME, text('What the purpose covers'), 'Why a subject may ask. A session has exactly one'),
    claims: opt(
      map(
        SQL_NAME,
        Type.Object({ type: ScalarType, description: opt(text('What it means')) }, strict),
        'Claims that policies may name as $claims.NAME',
      ),
    ),
    anonymous: opt(
      Type.Object(
        {
          purposes: Type.Array(Type.String(), { minItems: 1, description: 'Purposes that they may name' }),
          claims: opt(Type.Record(Type.String(), ClaimValue, { description: 'Claims that they have' })),
        },
        { ...strict, description: 'Admits requests without a credential, for these purposes' },
      ),
    ),
    session: opt(
      Type.Object(
        { scope: opt(Scope), maxScope: opt(Scope) },
        { ...strict, description: 'How sessions of the product may be shared' },
      ),
    ),
    evidence: opt(Evidence),
    stores: map(SQL_NAME, Store, 'Where the bytes are'),
    catalogs: map(
      SQL_NAME,
      Type.Object(
        {
          type: oneOf(['parquet', 'csv', 'json', 'arrow'] as const, { description: 'Format of the files' }),
          store: Type.String({ description: 'Name of a store' }),
          header: opt(Type.Boolean({ description: 'csv: the first line names the columns. Default: true' })),
          delimiter: opt(Type.String({ minLength: 1, maxLength: 1, description: 'csv: default ","' })),
          layout: opt(
            Type.Union([Type.Literal('lines'), Type.Literal('array')], {
              description: 'json: an object a line, or one array. Default: lines',
            }),
          ),
        },
        strict,
      ),
      'How the bytes are read',
    ),
    tables: map(
      SQL_NAME,
      Type.Object(
        {
          description: opt(text('What a row is')),
          catalog: Type.String({ description: 'Name of a catalog' }),
          path: text('File in the store, or a folder when it ends with /'),
          partitions: opt(
            Type.Array(Type.String(), {
              description: 'Columns whose values the names of folders carry, outermost first: tenant=acme/part.parquet',
              minItems: 1,
              uniqueItems: true,
            }),
          ),
          statistics: opt(
            Type.Boolean({
              description:
                'Whether what files say of the rows may choose how a query runs. Never shown, but time can tell of it. Default: true',
            }),
          ),
          columns: opt(
            Type.Record(Type.String({ pattern: COLUMN_NAME }), Column, {
              minProperties: 1,
              additionalProperties: false,
              description: 'Columns in their order, as the source has them',
            }),
          ),
          odcs: opt(
            text(
              'In place of columns: an ODCS v3 file that has them, relative to this one; after # the object, where it has another name',
            ),
          ),
          quality: opt(Quality),
        },
        strict,
      ),
      'What consumers query',
    ),
    views: opt(
      map(
        SQL_NAME,
        Type.Object({ description: opt(text('What a row is')), sql: text('A query over tables and views') }, strict),
        'Queries with a name',
      ),
    ),
    serviceLevels: opt(ServiceLevels),
    functions: opt(
      Type.Object(
        {
          allow: Type.Array(Type.String(), {
            description: 'Functions by name, or groups: "@aggregate", "@datetime"',
            uniqueItems: true,
          }),
        },
        { ...strict, description: 'What SQL may call; policies may call everything' },
      ),
    ),
    settings: opt(Settings),
    limits: opt(Limits),
    policies: opt(
      Type.Object(
        {
          cedar: opt(
            Type.Array(text('Cedar file beside this one'), {
              uniqueItems: true,
              description: 'Who may open the product, and who may see wide. Default: the file of this name with .cedar',
            }),
          ),
          rows: opt(
            map(
              NAME,
              Type.Object(
                {
                  description: opt(text('Why')),
                  table: Type.String({ description: 'Name of a table' }),
                  where: text('A predicate over the table; NULL does not pass'),
                },
                strict,
              ),
              'Row filters: all apply, to everyone who is not exempted',
            ),
          ),
          masks: opt(
            map(
              NAME,
              Type.Object(
                {
                  description: opt(text('Why')),
                  table: opt(Type.String({ description: 'Name of a table, with `column`' })),
                  column: opt(Type.String({ description: 'Name of its column' })),
                  tag: opt(Type.String({ description: 'Every column with this tag, instead of `table` and `column`' })),
                  with: text("An expression of the column's type, in which `value` stands for the column"),
                  order: opt(
                    Type.Integer({
                      minimum: 1,
                      maximum: 1_000,
                      description: 'Where two masks meet on one column, the lower applies first',
                    }),
                  ),
                },
                strict,
              ),
              'Masks: all apply, to everyone who is not exempted',
            ),
          ),
        },
        { ...strict, description: 'Who sees how much of it' },
      ),
    ),
    queries: opt(
      map(
        NAME,
        Type.Object(
          {
            description: opt(text('What it answers')),
            sql: text('A query with $name parameters'),
            parameters: opt(map(SQL_NAME, Parameter, 'Parameters by name')),
          },
          strict,
        ),
        'Named queries',
      ),
    ),
  },
  { ...strict, title: 'Ambit data product', description: 'The contract of a data product' },
);

export const Environment = Type.Object(
  {
    apiVersion: Type.Literal('ambit/v1', { description: 'Version of this format' }),
    kind: Type.Literal('Environment', { description: 'What the file declares' }),
    name: oneOf(['development', 'test', 'staging', 'production'] as const, { description: 'Which environment it is' }),
    extends: opt(text('File of the environment or base that this one adds to, relative to this file')),
    listen: opt(
      Type.Object(
        {
          host: opt(text('Address')),
          port: opt(Type.Integer({ minimum: 0, maximum: 65_535, description: 'TCP port; 0 for a free one' })),
        },
        { ...strict, description: 'Default: 127.0.0.1:7070. Another host needs tls' },
      ),
    ),
    tls: opt(
      Type.Object(
        { certificate: path('PEM file'), key: path('PEM file') },
        { ...strict, description: 'Serves HTTPS, paths relative to this file' },
      ),
    ),
    stores: opt(map(SQL_NAME, StoreBinding, 'Places of stores by name')),
    credentials: opt(Credentials),
    engine: opt(
      Type.Object(
        {
          isolation: opt(
            oneOf(['shared', 'tenant', 'session'] as const, {
              description: 'Who shares a worker process: all sessions, those of a tenant, none',
            }),
          ),
          workers: opt(
            Type.Integer({
              minimum: 1,
              maximum: 256,
              description: 'Worker processes; where they are not shared, the most',
            }),
          ),
          threads: opt(Type.Integer({ minimum: 1, maximum: 256, description: 'Threads of each worker' })),
          memory: opt(Size('Memory that the sessions of a worker may reserve')),
          spill: opt(Size('Spill of the sessions of a worker')),
        },
        { ...strict, description: 'Worker processes' },
      ),
    ),
    evidence: opt(path('Folder of the evidence log, relative to this file')),
    evidenceKey: opt(
      path('File of the private key that signs the evidence log, outside of its folder; made if it is missing'),
    ),
    evidenceSeals: opt(
      path(
        'Folder of the keys that seal literals, outside of the log; made if it is missing. Servers of one log share it',
      ),
    ),
    evidenceSealPeriod: opt(SealPeriod),
    witnesses: opt(Witnesses),
    evidenceDatabase: opt(EvidenceDatabase),
    keys: opt(path('File of hashed API keys, relative to this file')),
    drift: opt(Drift),
    quality: opt(QualitySchedule),
    exports: opt(Exports),
    identity: opt(
      Type.Object(
        {
          jwt: Type.Array(
            Type.Object(
              {
                issuer: text('iss'),
                audience: text('aud'),
                jwks: Type.String({
                  description: 'https URL, or a file relative to this one',
                  // A file, or https: keys that came in clear could be anybody's.
                  pattern: '^(https://|(?![A-Za-z][A-Za-z0-9+.-]*:)).+',
                  maxLength: 4_000,
                  [PATH]: true,
                }),
                algorithms: Type.Array(Type.String({ pattern: '^(RS|PS|ES)(256|384|512)$|^EdDSA$' }), {
                  minItems: 1,
                  description: 'Algorithms that its signatures may have',
                }),
                tenant: text('The tenant that this issuer speaks for'),
                type: opt(text('typ of its tokens, as at+jwt. Default: none, JWT or at+jwt')),
                principal: opt(text('Claim that names the principal. Default: sub')),
                roles: opt(text('Claim that lists roles. Default: roles')),
                kind: opt(text('Claim that tells user, service or agent. Default: every subject is a user')),
                claims: opt(
                  Type.Record(Type.String(), Type.String(), {
                    description: 'Subject claim by name, from which token claim',
                  }),
                ),
              },
              strict,
            ),
            { description: 'Issuers of tokens' },
          ),
        },
        { ...strict, description: 'Who is believed to say who asks, beside API keys' },
      ),
    ),
    review: opt(
      oneOf(['required'] as const, {
        description: 'Only boundaries that their owners approved are served. In production it is always so',
      }),
    ),
    breakGlass: opt(BreakGlass),
    settings: opt(Settings),
    limits: opt(Limits),
  },
  { ...strict, title: 'Ambit environment', description: 'What a contract runs with' },
);

/** A contract as its file says it. */
export type DeclaredContract = Static<typeof Contract>;
type DeclaredTable = DeclaredContract['tables'][string];
/** Columns of a table, in their order. */
export type Columns = NonNullable<DeclaredTable['columns']>;
/** A contract whose tables all have their columns, wherever they are declared. */
export type Contract = Omit<DeclaredContract, 'tables'> & {
  readonly tables: Readonly<Record<string, Omit<DeclaredTable, 'columns' | 'odcs'> & { readonly columns: Columns }>>;
};
export type Environment = Static<typeof Environment>;
export type Limits = Static<typeof Limits>;
