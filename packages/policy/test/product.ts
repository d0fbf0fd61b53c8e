import type { Boundary, Reads } from '@ambit/contract';
import type { Grant, Subject } from '../src/index.ts';

export const noReads: Reads = { tables: {}, views: [], functions: [] };

export function column(name: string, tags: readonly string[] = []): Boundary['tables'][string]['columns'][number] {
  return { name, type: 'string', nullable: true, description: '', tags };
}

export function table(...columns: Boundary['tables'][string]['columns']): Boundary['tables'][string] {
  return { description: '', catalog: 'lake', path: 'data.parquet', format: { type: 'parquet' }, columns };
}

export function view(reads: Partial<Reads>): Boundary['views'][string] {
  return { description: '', sql: 'SELECT 1', columns: [], reads: { ...noReads, ...reads } };
}

export function query(reads: Partial<Reads>): Boundary['queries'][string] {
  return { description: '', sql: 'SELECT 1', parameters: {}, columns: [], reads: { ...noReads, ...reads } };
}

export function rowFilter(on: string): Boundary['rowFilters'][string] {
  return { description: '', table: on, where: 'true', claims: [], reads: noReads };
}

/** By tag if there is one, else by these columns. */
export function mask(
  columns: Boundary['masks'][string]['columns'],
  tag: string | null = null,
  order: number | null = null,
): Boundary['masks'][string] {
  return { description: '', with: 'value', columns, tag, order, claims: [] };
}

/** A small product of tenant `mobility`: two tables, three tags, two row filters, three masks, two views, a query. */
export function product(
  policies: string | Readonly<Record<string, string>>,
  changes: Partial<Boundary> = {},
): Boundary {
  return {
    format: 'ambit/boundary/v1',
    product: {
      name: 'flights',
      version: '1.0.0',
      tenant: 'mobility',
      description: '',
      owner: { team: 'data', reviewers: [] },
    },
    environment: 'development',
    purposes: { operations: { description: '' }, research: { description: '' } },
    claims: {
      state: { type: 'string', description: '' },
      level: { type: 'int', description: '' },
    },
    anonymous: null,
    session: { scope: 'request', maxScope: 'request' },
    stores: { lake: { kind: 'local', root: 'data', credential: null } },
    catalogs: { lake: { type: 'parquet', store: 'lake' } },
    tables: {
      flights: table(column('date', ['exact-time']), column('delay'), column('origin')),
      airports: table(
        column('iata'),
        column('latitude', ['location']),
        column('longitude', ['location', 'exact-place']),
      ),
    },
    views: {
      delays: view({ tables: { flights: ['delay'] }, functions: ['avg'] }),
      summary: view({ tables: { flights: ['delay'] }, views: ['delays'], functions: ['avg'] }),
    },
    functions: ['avg', 'lower', 'sum'],
    settings: {},
    limits: {
      timeoutMs: 1,
      memoryBytes: 1,
      spillBytes: 1,
      rows: 1,
      bytes: 1,
      statementBytes: 1,
      statementNodes: 1,
      statementDepth: 1,
      planNodes: 1,
      concurrency: 1,
      queue: 1,
    },
    rowFilters: { 'own-state': rowFilter('flights'), released: rowFilter('flights') },
    masks: {
      coarse: mask(
        [
          { table: 'airports', column: 'latitude' },
          { table: 'airports', column: 'longitude' },
        ],
        'location',
      ),
      'day-only': mask([{ table: 'flights', column: 'date' }], 'exact-time'),
      quarters: mask([{ table: 'flights', column: 'delay' }]),
    },
    queries: { worst: query({ views: ['summary'], tables: { flights: ['delay'] }, functions: ['avg'] }) },
    policies: typeof policies === 'string' ? { 'flights.cedar': policies } : policies,
    engine: { name: 'datafusion', version: '55.2.0' },
    ...changes,
  };
}

export function subject(changes: Partial<Subject> = {}): Subject {
  return {
    tenant: 'mobility',
    principal: 'maria',
    kind: 'user',
    roles: ['operator'],
    claims: {},
    channel: 'http',
    onBehalfOf: null,
    authentication: { method: 'api-key', reference: 'key-1' },
    ...changes,
  };
}

export const everything = `@id("everything")
permit (principal, action in [Action::"open", Action::"read", Action::"call"], resource);
`;

/** What a grant shows and to what it narrows, in a form that a test can read. */
export function shown(grant: Grant): Record<string, unknown> {
  return {
    tables: Object.fromEntries(
      Object.entries(grant.tables).map(([name, { columns, filters }]) => [
        name,
        {
          columns: columns.map((one) => [one.name, ...applied(one.masks)].join(' < ')),
          filters: applied(filters),
        },
      ]),
    ),
    views: Object.keys(grant.views).toSorted(),
    functions: grant.functions,
    queries: grant.queries,
  };
}

/** Governors that are not lifted. */
export function applied(
  governors: readonly { readonly id: string; readonly exemptedBy: readonly string[] }[],
): string[] {
  return governors.filter(({ exemptedBy }) => exemptedBy.length === 0).map(({ id }) => id);
}
