import { expect, test } from 'vitest';

import { sessionPage } from '../src/page/session.ts';
import { evidence } from './evidence.ts';

test('a session as a page', () => {
  expect(sessionPage(evidence)).toMatchInlineSnapshot(`
    "Session ses_1: completed

    who       vera of acme, an agent (auditor)
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
      with month = 3
      as json

    Could see
      flights
        from       catalog lake (parquet), store lake (local, ../data), flights-3m.parquet
        columns    date: masked by day-only, as date_trunc('day', value)
                   origin
        rows       exempt from own-state, by flights.cedar#auditors
        permitted  by flights.cedar#read

      view delays    by flights.cedar#read
      named queries  worst-routes

    Did read
      flights     columns date, origin; masked date
      view        delays
      store lake  flights-3m.parquet: 3 requests, 1.0 MiB of 20 MiB, version v9

    Functions
      called      count
      could call  1 other; --json gives all

    Settings that differ from DataFusion's
      datafusion.execution.batch_size = 4096      by the contract
      datafusion.execution.target_partitions = 2  by Ambit
      datafusion.execution.time_zone = ''         by the environment
      (1 others have its own values; --json gives them all)

    Credentials
      none: its stores need none

    Policies that decided
      flights.cedar#open      open Product::"flights"
      flights.cedar#auditors  exempt RowFilter::"own-state"
      flights.cedar#no-delay  forbids read Column::"flights.delay"
      (1 denial because no policy permits it; --json gives all)

    Ended
      completed  1 row and 2.0 KiB delivered, in 12 ms
      memory     1.0 MiB at most
      steps      authorize 300 µs, run 12 ms

    Left behind
      nothing
    "
  `);
});
