import { describe, expect, test } from 'vitest';

import type { Outcome, SessionEvidence } from '../src/page/evidence.ts';
import { sessionPage } from '../src/page/session.ts';
import { evidence } from './evidence.ts';

const outcome = evidence.outcome as Outcome;
test('who approved the boundary, or opened it, is on the page', () => {
  const signed = { digest: 'sha256:r', key: 'SHA256:k', signedAt: '2026-11-01T00:00:00Z' };
  const reviews = ['ann', 'bo'].map((who) => ({ ...signed, who, reason: 'looked', expires: '2027-01-01T00:00:00Z' }));
  const approved = sessionPage({ ...evidence, review: { reviews, breakGlass: null } });
  expect(approved).toContain(
    'approved  by ann until 2027-01-01T00:00:00Z: looked (SHA256:k)\n          by bo until 2027-01-01T00:00:00Z: looked (SHA256:k)\n',
  );
  const breakGlass = { ...signed, who: 'olga', reason: 'outage', until: '2026-11-24T03:00:00Z' };
  const opened = sessionPage({ ...evidence, review: { reviews: [], breakGlass } });
  expect(opened).toContain(
    'break-glass  no owner approved it; olga opened it until 2026-11-24T03:00:00Z: outage (SHA256:k)\n',
  );
});

const ended = (change: Partial<Outcome>): SessionEvidence => ({ ...evidence, outcome: { ...outcome, ...change } });

test('a session as a page', () => {
  expect(sessionPage(evidence)).toMatchInlineSnapshot(`
    "Session ses_1: completed

    who       vera of acme (agent, auditor)
              claims state = "CA"
              over http, known by api-key key_7
    for       maria of acme
    why       research: studies of delays
    when      2026-11-24T01:02:03.000004Z to 2026-11-24T01:02:03.013Z
    boundary  flights 1.2.0, development, owned by mobility-data
              sha256:f1
    evidence  intent at 12, outcome at 13

    Asked
      SELECT count(*)
        FROM flights
      with month = 3 (int)
      as json

    Could see
      flights
        from       catalog lake (parquet), store lake (local, ../data), flights-3m.parquet
        columns    origin
                   date: masked by day-only: date_trunc('day', value)
        rows       exempt from own-state, by flights.cedar#auditors
        permitted  by flights.cedar#read

      view delays    by flights.cedar#read
      named queries  worst-routes

    Did read
      flights
        supplied by  catalog lake, store lake
        columns      date, origin
        masked       date by day-only
        file         flights-3m.parquet of store lake, version v9, 3 requests, 1.0 MiB of 20 MiB
      view delays

    Functions
      called      count
      could call  1 other; --json gives all

    Settings that differ from DataFusion's
      datafusion.execution.batch_size = 4096      by the contract
      datafusion.execution.target_partitions = 2  by Ambit
      datafusion.execution.time_zone = ''         by the environment
      (1 other at its own value; --json gives all)

    Credentials
      none: its stores need none

    Policies that decided
      flights.cedar#open      permits open Product::"flights"
      flights.cedar#auditors  permits exempt RowFilter::"own-state"
      flights.cedar#no-delay  forbids read Column::"flights.delay"
      (1 denial, as no policy permits it; --json gives all)

    Ended
      completed  1 row and 2.0 KiB delivered, in 12 ms
      memory     1.0 MiB at most
      steps      authorize 300 µs, run 12 ms

    Left behind
      nothing
    "
  `);
});

test('where the result comes from, and what each operator did, where the evidence has it', () => {
  const input = { table: 'flights', column: 'date', masked: true, how: ['transformation'] };
  const access = {
    store: 'lake',
    credential: null,
    object: 'flights-3m.parquet',
    version: 'v9',
    requests: 2,
    bytes: 20,
  };
  const page = sessionPage(
    ended({
      engine: {
        ...outcome.engine,
        accesses: [
          {
            ...access,
            size: 4096,
            ranges: [
              [0, 8],
              [100, 112],
            ],
          },
        ],
        lineage: {
          columns: [
            { name: 'day', inputs: [input] },
            { name: 'n', inputs: [] },
          ],
          dataset: [{ ...input, column: 'origin', masked: false, how: ['group_by', 'filter'] }],
          widened: false,
        },
        operators: [
          {
            operator: 'AggregateExec',
            depth: 0,
            inside: null,
            metrics: { output_rows: 31, elapsed_compute: 1_500_000 },
          },
          {
            operator: 'DataSourceExec',
            depth: 1,
            inside: 'flights',
            metrics: { output_rows: 3000, bytes_scanned: 2048 },
          },
        ],
      },
    }),
  );
  expect(page).toContain(
    '    file         flights-3m.parquet of store lake, version v9, 2 requests, 20 B of 4.0 KiB\n',
  );
  expect(page).toContain('                 bytes 0-7, 100-111\n');
  expect(page).toContain(`Lineage
  day         flights.date (transformation, masked)
  n           no column
  (all rows)  flights.origin (group by, filter)
`);
  expect(page).toContain(`Plan
  operator          inside    rows    time
  ----------------  -------  -----  ------  ---------------
  AggregateExec                 31  1.5 ms
    DataSourceExec  flights  3,000          2.0 KiB scanned
`);
});

test('a replay says of what, and for whom', () => {
  const replay = { of: 'ses_0', by: { tenant: 'acme', principal: 'olga' } };
  const page = sessionPage({ ...evidence, intent: { ...evidence.intent, replay } });
  expect(page).toContain('replay    of ses_0, for olga of acme: its rows left to nobody\n');
});

describe('what is not there', () => {
  test('a session that runs has no end yet', () => {
    const page = sessionPage({ ...evidence, outcome: null });
    expect(page).toContain('Session ses_1: running\n');
    expect(page).toContain('Ended\n  not yet\n');
    expect(page).toContain('Did read\n  nothing\n');
  });

  test('a worker that died could not say what it left', () => {
    const error = { code: 'engine_crashed', message: 'the worker of the session died', detail: null };
    const page = sessionPage(ended({ status: 'crashed', error, engine: null, rows: 0, bytes: 0 }));
    expect(page).toContain('Session ses_1: crashed\n');
    expect(page).toContain('error    the worker of the session died [engine_crashed]\n');
    expect(page).toContain('Left behind\n  not known: the engine could not say\n');
  });

  test("its own subject's page has neither the policy's SQL nor where stores are, and says so", () => {
    const { stores, ...boundary } = evidence.boundary;
    const page = sessionPage({
      ...evidence,
      boundary: {
        ...boundary,
        rowFilters: {},
        masks: {},
        stores: { lake: { ...stores['lake'], kind: 'local', root: '', credential: null } },
      },
      whole: false,
    });
    expect(page).toContain('date: masked by day-only\n');
    expect(page).toContain('store lake (local), flights-3m.parquet\n');
    expect(page).toContain("This is what its own subject may know; the product's owner reads more.\n");
  });
});

describe('what must not be overlooked', () => {
  test('what a session left behind', () => {
    const page = sessionPage(ended({ engine: { residue: { memoryBytes: 4096, spillBytes: 0, tasks: 1 } } }));
    expect(page).toContain('Left behind\n  4.0 KiB of memory, 0 B of spill, 1 task\n');
  });

  test('a credential that it could use, and one that it used', () => {
    const access = { store: 'lake', credential: 'lake-reader', object: 'a.parquet', version: null };
    const page = sessionPage({
      ...ended({ engine: { accesses: [access] } }),
      intent: { ...evidence.intent, credentials: { lake: 'lake-reader', other: 'other-reader' } },
    });
    expect(page).toContain(
      'Credentials\n  could use  lake-reader on store lake, other-reader on store other\n  used       lake-reader\n',
    );
  });

  test('a text from a contract or a statement cannot control the terminal', () => {
    const statement = { ...evidence.intent.statement, sql: 'SELECT 1 -- \u001b[2J\u202e' };
    const page = sessionPage({ ...evidence, intent: { ...evidence.intent, statement, purpose: 'a\u009b1m' } });
    expect(page).not.toMatch(/(?!\n)[\p{Cc}\u202e]/u);
  });
});
