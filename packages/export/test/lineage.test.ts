import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EvidenceLog, type Json, openLog, type RecordBody } from '@ambit/evidence';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Exports, startExports } from '../src/index.ts';

let folder: string;
let log: EvidenceLog;
let exported: Exports;

const start = async (): Promise<void> => {
  log = await openLog({ folder: join(folder, 'log'), ambit: '1' });
  exported = await startExports({
    config: { folder, openlineage: { file: join(folder, 'events') }, otlp: null, prometheus: null },
    log,
    evidence: join(folder, 'log'),
    environment: 'test',
    version: '1',
    workers: async () => 1,
    tell: () => {},
  });
};

const stop = async (): Promise<void> => {
  await exported.close();
  await log.close();
};

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ambit-lineage-'));
  await start();
});
afterEach(async () => {
  await stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Event {
  readonly eventType: string;
  readonly outputs: readonly { readonly facets: Readonly<Record<string, Readonly<Record<string, unknown>>>> }[];
}

const events = (): readonly Event[] =>
  readFileSync(join(folder, 'events'), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Event);

async function session(id: string, engine: Json): Promise<void> {
  const intent = {
    type: 'session.intent',
    session: id,
    request: 'r',
    product: 'people',
    version: '1.0.0',
    environment: 'test',
    fingerprint: 'sha256:f',
    grant: 'sha256:g',
    subject: { tenant: 'a', principal: 'ann', kind: 'user' },
    purpose: 'analytics',
    scope: 'request',
    statement: { kind: 'sql', name: null, sql: 'SELECT 1', digest: 'sha256:d', parameters: {} },
    format: 'json',
    limits: {},
    credentials: {},
    traceparent: null,
  } satisfies RecordBody;
  const { seq } = await exported.evidence.append(intent);
  await exported.evidence.append({
    type: 'session.outcome',
    session: id,
    intent: seq,
    status: 'completed',
    error: null,
    rows: 1,
    bytes: 1,
    engine,
    steps: {},
  });
}

const columns = [
  { name: 'who', type: 'string' },
  { name: 'Utf8("x")', type: 'bigint' },
];

test('lineage of the report is the columnLineage facet; a masked column says so, a use of many kinds has each', async () => {
  await session('ses_1', {
    tables: { emp: { columns: ['name', 'salary'] } },
    columns,
    lineage: {
      columns: [
        { name: 'who', inputs: [{ table: 'emp', column: 'name', how: ['identity'], masked: true }] },
        {
          name: 'Utf8("x")',
          inputs: [{ table: 'emp', column: 'salary', how: ['aggregation', 'conditional'], masked: false }],
        },
        { name: 'who', inputs: [{ table: 'emp', column: 'salary', how: [], masked: false }] },
      ],
      dataset: [{ table: 'emp', column: 'name', how: ['group_by'], masked: true }],
      widened: false,
    },
  });
  await stop();
  const at = { namespace: 'ambit://test/people', name: 'emp' };
  expect(events()[1]?.outputs[0]?.facets['columnLineage']).toMatchObject({
    fields: {
      who: {
        inputFields: [
          { ...at, field: 'name', transformations: [{ type: 'DIRECT', subtype: 'IDENTITY', masking: true }] },
        ],
      },
      column_2: {
        inputFields: [
          {
            ...at,
            field: 'salary',
            transformations: [
              { type: 'DIRECT', subtype: 'AGGREGATION', masking: false },
              { type: 'INDIRECT', subtype: 'CONDITIONAL', masking: false },
            ],
          },
        ],
      },
      column_3: { inputFields: [{ ...at, field: 'salary', transformations: [{ type: 'INDIRECT', masking: false }] }] },
    },
    dataset: [{ ...at, field: 'name', transformations: [{ type: 'INDIRECT', subtype: 'GROUP_BY', masking: true }] }],
  });
  await start();
});

test('without lineage, or with one of another shape, there is no facet, and an event all the same', async () => {
  await session('ses_1', { tables: {}, columns });
  await session('ses_2', { tables: {}, columns, lineage: { of: 'another shape' } });
  await stop();
  // Events of two sessions go in no order.
  expect(
    events()
      .map(({ eventType }) => eventType)
      .toSorted(),
  ).toEqual(['COMPLETE', 'COMPLETE', 'START', 'START']);
  for (const { outputs } of events()) expect(outputs[0]?.facets['columnLineage']).toBeUndefined();
  await start();
});

test('after a stop that delivered all, nothing comes twice; over segments, nothing is left out', async () => {
  const large = 'x'.repeat(3_000_000);
  for (let at = 0; at < 8; at += 1) await session(`ses_${at}`, { tables: {}, columns, physicalPlan: large });
  await stop();
  await start();
  await session('ses_8', { tables: {}, columns });
  await stop();
  expect(events().length).toBe(18);
  await start();
});
