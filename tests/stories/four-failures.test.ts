import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { endOf, evidenceOf, rowsOf, type Server, startExample } from './server.ts';

// The four failures that a shared session makes, each as a story over the real server.

let server: Server;
beforeAll(async () => {
  server = await startExample();
}, 60_000);
afterAll(() => server.close());

describe('a table that outlives its request', () => {
  test('nothing can be registered, and what one session names is not there for the next', async () => {
    for (const sql of [
      'CREATE TABLE mine AS SELECT 1',
      'CREATE VIEW mine AS SELECT * FROM flights',
      'WITH mine AS (SELECT 1 AS x) SELECT x FROM mine',
    ]) {
      await (await server.ask('vera', 'safety-audit', sql)).text();
    }
    const later = await server.ask('vera', 'safety-audit', 'SELECT * FROM mine');
    expect(await later.json()).toMatchObject({ code: 'table_unknown' });
    const session =
      later.headers.get('ambit-session') ??
      ((await (await server.as('vera', '/v1/sessions')).json()) as { sessions: { session: string }[] }).sessions[0]
        ?.session ??
      '';
    const { grant } = await evidenceOf(server, session);
    expect(Object.keys(grant.tables).toSorted()).toEqual(['airports', 'flight_hours', 'flights', 'sample_flights']);
  });
});

describe('a function that another tenant can call', () => {
  test('is not there for a product that does not allow it', async () => {
    expect((await server.ask('noah', 'research', "SELECT lower('A')")).status).toBe(200);
    expect(await (await server.ask('noah', 'research', "SELECT md5('A')")).json()).toMatchObject({
      code: 'function_unknown',
    });
    expect(await (await server.ask('noah', 'research', 'SELECT [1, 2][1]')).json()).toMatchObject({
      code: 'function_unknown',
    });
  });
});

describe('a setting that differs from the declared one and nobody knows', () => {
  test('cannot be changed in a session, and every value is in the evidence with its origin', async () => {
    expect((await server.ask('vera', 'safety-audit', 'SET datafusion.execution.batch_size = 1')).status).toBe(400);
    const answer = await server.ask('vera', 'safety-audit', 'SELECT 1');
    await answer.text();
    const { boundary, intent } = await evidenceOf(server, answer.headers.get('ambit-session') ?? '');
    expect(intent.fingerprint).toBe(answer.headers.get('ambit-fingerprint'));
    expect(Object.keys(boundary.settings).length).toBeGreaterThan(150);
    expect(boundary.settings['datafusion.execution.batch_size']).toEqual({ value: '8192', origin: 'contract' });
    const own = boundary.settings['datafusion.catalog.create_default_catalog_and_schema'];
    expect(own).toEqual({ value: 'false', origin: 'ambit' });
  });
});

describe('a store that is used without a trace', () => {
  test('every object that was opened is in the evidence, and none that was not', async () => {
    const answer = await server.ask('vera', 'safety-audit', 'SELECT count(*) FROM airports');
    await answer.text();
    const outcome = await endOf(server, answer.headers.get('ambit-session') ?? '');
    expect(outcome.engine?.accesses).toEqual([
      expect.objectContaining({ store: 'lake', object: 'airports.csv', credential: null, failures: 0 }),
    ]);
    expect(outcome.engine?.accesses?.[0]?.bytes).toBeGreaterThan(200_000);
    expect(await rowsOf(await server.ask('vera', 'safety-audit', 'SELECT count(*) FROM airports'))).toEqual([[3376]]);
  });
});
