import type { Boundary } from '@ambit/contract';
import type { Grant } from '@ambit/policy';

import type { SessionEvidence } from '../src/page/evidence.ts';

const reads = { tables: {}, views: [], functions: [] };

const boundary: Boundary = {
  format: 'ambit/boundary/v1',
  product: {
    name: 'flights',
    version: '1.2.0',
    tenant: 'acme',
    description: 'Flights',
    owner: { team: 'mobility-data', reviewers: [] },
  },
  environment: 'development',
  purposes: { research: { description: 'studies of delays' }, 'safety-audit': { description: 'audits' } },
  claims: { state: { type: 'string', description: 'state of the operator' } },
  anonymous: null,
  session: { scope: 'request', maxScope: 'request' },
  stores: { lake: { kind: 'local', root: '../data', credential: null } },
  catalogs: { lake: { type: 'parquet', store: 'lake' } },
  tables: {
    flights: {
      description: '',
      catalog: 'lake',
      path: 'flights-3m.parquet',
      format: { type: 'parquet' },
      columns: ['date', 'delay', 'origin'].map((name) => ({
        name,
        type: 'string',
        nullable: true,
        description: '',
        tags: [],
      })),
    },
  },
  views: { delays: { description: '', sql: 'SELECT delay FROM flights', columns: [], reads } },
  functions: ['count', 'lower'],
  settings: {
    'datafusion.execution.batch_size': { value: '4096', origin: 'contract' },
    'datafusion.execution.target_partitions': { value: '2', origin: 'ambit' },
    'datafusion.execution.time_zone': { value: '', origin: 'environment' },
    'datafusion.optimizer.filter_null_join_keys': { value: 'false', origin: 'datafusion' },
  },
  limits: {
    timeoutMs: 30_000,
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
  rowFilters: {
    'own-state': {
      description: '',
      table: 'flights',
      where: 'origin IN (\n  SELECT iata FROM airports)',
      claims: ['state'],
      reads,
    },
  },
  masks: {
    'day-only': {
      description: '',
      with: "date_trunc('day', value)",
      columns: [{ table: 'flights', column: 'date' }],
      tag: null,
      order: null,
      claims: [],
    },
  },
  queries: {},
  policies: {},
  engine: { name: 'datafusion', version: '55.2.0' },
};

const grant: Grant = {
  format: 'ambit/grant/v1',
  product: 'flights',
  version: '1.2.0',
  fingerprint: 'sha256:f1',
  environment: 'development',
  purpose: 'research',
  tables: {
    flights: {
      determinedBy: ['flights.cedar#read'],
      columns: [
        { name: 'date', determinedBy: ['flights.cedar#read'], masks: [{ id: 'day-only', exemptedBy: [] }] },
        { name: 'origin', determinedBy: ['flights.cedar#read'], masks: [] },
      ],
      filters: [{ id: 'own-state', exemptedBy: ['flights.cedar#auditors'] }],
    },
  },
  views: { delays: { determinedBy: ['flights.cedar#read'] } },
  functions: ['count', 'lower'],
  queries: ['worst-routes'],
  decisions: [
    { action: 'open', resource: 'Product::"flights"', allowed: true, determinedBy: ['flights.cedar#open'] },
    { action: 'exempt', resource: 'RowFilter::"own-state"', allowed: true, determinedBy: ['flights.cedar#auditors'] },
    { action: 'read', resource: 'Column::"flights.delay"', allowed: false, determinedBy: ['flights.cedar#no-delay'] },
    { action: 'exempt', resource: 'Mask::"day-only"', allowed: false, determinedBy: [] },
  ],
};

/** A session that completed. Tests change what they are about. */
export const evidence: SessionEvidence = {
  session: 'ses_1',
  intent: {
    seq: 12,
    at: '2026-11-24T01:02:03.000004Z',
    product: 'flights',
    version: '1.2.0',
    environment: 'development',
    fingerprint: 'sha256:f1',
    subject: {
      tenant: 'acme',
      principal: 'vera',
      kind: 'agent',
      roles: ['auditor'],
      claims: { state: 'CA' },
      channel: 'http',
      onBehalfOf: { tenant: 'acme', principal: 'maria' },
      authentication: { method: 'api-key', reference: 'key_7' },
    },
    purpose: 'research',
    scope: 'request',
    statement: {
      kind: 'sql',
      name: null,
      sql: 'SELECT count(*)\n  FROM flights',
      parameters: { month: { type: 'int', value: 3 } },
    },
    format: 'json',
    limits: {},
    credentials: { lake: null },
  },
  outcome: {
    seq: 13,
    at: '2026-11-24T01:02:03.013Z',
    status: 'completed',
    error: null,
    rows: 1,
    bytes: 2048,
    engine: {
      tables: { flights: { columns: ['date', 'origin'], filters: [], masks: { date: ['day-only'] } } },
      views: ['delays'],
      functions: ['count'],
      accesses: [
        {
          store: 'lake',
          credential: null,
          object: 'flights-3m.parquet',
          requests: 3,
          bytes: 1_048_576,
          size: 20_971_520,
          version: 'v9',
          failures: 0,
        },
      ],
      memoryPeakBytes: 1_048_576,
      spillBytes: 0,
      residue: { memoryBytes: 0, spillBytes: 0, tasks: 0 },
    },
    steps: { authorize: 300, run: 12_000 },
  },
  grant,
  boundary,
  whole: true,
};
