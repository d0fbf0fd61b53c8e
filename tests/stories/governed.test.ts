import { afterAll, beforeAll, expect, test } from 'vitest';
import { evidenceOf, rowsOf, type Server, startExample } from './server.ts';

let server: Server;
beforeAll(async () => {
  server = await startExample();
}, 60_000);
afterAll(() => server.close());

const question = 'SELECT count(*) AS n, count(DISTINCT origin) AS origins, max(date) AS last FROM flights';

test('the same question, two subjects, two purposes: different rows, masked and unmasked', async () => {
  const maria = await rowsOf(await server.ask('maria', 'operations', question));
  const noah = await rowsOf(await server.ask('noah', 'research', question));
  const vera = await rowsOf(await server.ask('vera', 'safety-audit', question));
  expect(vera[0]?.[0]).toBe(3_000_000);
  expect(maria[0]).toEqual([370_248, 16, expect.stringMatching(/T\d\d:[0-5][1-9]|T\d\d:[1-5]0/)]);
  expect(noah[0]?.[2]).toBe('2001-03-31T00:00:00');
});

test('every format of file is read as its contract declares it', async () => {
  const counts = await rowsOf(
    await server.ask(
      'vera',
      'safety-audit',
      'SELECT (SELECT count(*) FROM airports) AS a, (SELECT count(*) FROM sample_flights) AS s, (SELECT count(*) FROM flight_hours) AS h',
    ),
  );
  expect(counts).toEqual([[3376, 20_000, 200_000]]);
  const masked = await rowsOf(
    await server.ask('noah', 'research', 'SELECT min(date), max(latitude) FROM sample_flights, airports'),
  );
  expect(masked[0]?.[0]).toBe('2001/01/01');
  expect(Number.isInteger(masked[0]?.[1])).toBe(true);
});

test.each([
  ['without a purpose', { sql: 'SELECT 1' }, 400, 'purpose_required', 'purpose'],
  ['with an unknown purpose', { sql: 'SELECT 1', purpose: 'spying' }, 403, 'purpose_refused', 'purpose'],
  ['for a denied column', { sql: 'SELECT distance FROM flights', purpose: 'research' }, 400, 'column_unknown', 'names'],
  [
    'for a table of another product',
    { sql: 'SELECT * FROM duties', purpose: 'research' },
    400,
    'table_unknown',
    'names',
  ],
  [
    'for a function that is not allowed',
    { sql: "SELECT sha256('x')", purpose: 'research' },
    400,
    'function_unknown',
    'names',
  ],
])('asked %s, the boundary that refuses says so', async (_, body, status, code, boundary) => {
  const answer = await server.as('noah', '/v1/products/flights/query', { body });
  expect(answer.status).toBe(status);
  expect(answer.headers.get('content-type')).toContain('application/problem+json');
  expect(await answer.json()).toMatchObject({ code, boundary, status });
});

test('a denied name and a name that was never there get the same answer', async () => {
  const answers = await Promise.all(
    ['distance', 'distancf'].map(async (column) => {
      const problem = (await (await server.ask('noah', 'research', `SELECT ${column} FROM flights`)).json()) as Record<
        string,
        unknown
      >;
      return JSON.stringify({ ...problem, session: null }).replaceAll(column, 'X');
    }),
  );
  expect(answers[0]).toBe(answers[1]);
  const products = await Promise.all(
    ['crew', 'crex'].map(async (product) => {
      const answer = await server.as('noah', `/v1/products/${product}/query`, {
        body: { sql: 'SELECT 1', purpose: 'rostering' },
      });
      return `${answer.status} ${(await answer.text()).replaceAll(product, 'X')}`;
    }),
  );
  expect(products[0]).toBe(products[1]);
});

test('the named queries answer, with their parameters typed', async () => {
  const named = (path: string) =>
    server.as('maria', `/v1/products/flights/queries/${path}`, { headers: { 'ambit-purpose': 'operations' } });
  expect(await rowsOf(await named('worst-routes?origin=LAX&top=3'))).toHaveLength(3);
  expect(await rowsOf(await named('busiest-days?top=2'))).toHaveLength(2);
  expect(await rowsOf(await named('airports-near?latitude=33.94&longitude=-118.4&degrees=0.2'))).not.toHaveLength(0);
  expect((await named('worst-routes?origin=LAX&top=many')).status).toBe(400);
  expect((await named('worst-routes')).status).toBe(400);
  expect((await named('nosuch')).status).toBe(404);
});

test('the evidence tells why, and its own subject sees no count of hidden rows', async () => {
  const answer = await server.ask('maria', 'operations', 'SELECT count(*) FROM flights');
  const session = answer.headers.get('ambit-session') ?? '';
  await answer.text();
  const whole = await evidenceOf(server, session);
  expect(whole.outcome).toMatchObject({
    status: 'completed',
    rows: 1,
    engine: { residue: { memoryBytes: 0, spillBytes: 0, tasks: 0 } },
  });
  expect(whole.outcome?.engine?.tables?.['flights']?.filters).toEqual(['own-state']);
  const own = JSON.stringify(await evidenceOf(server, session, 'maria'));
  expect(own).not.toContain('innerPlans');
  expect(own).not.toContain('"inside":"flights"');
  expect((await server.as('noah', `/v1/sessions/${session}`)).status).toBe(404);
});

test('credentials: none, a wrong one, and a wrong one where none would do', async () => {
  expect((await server.as(null, '/v1/products/flights/query', { body: { sql: 'SELECT 1' } })).status).toBe(401);
  const wrong = { authorization: 'Bearer ambit_0000000000000000_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' };
  expect((await server.as(null, '/v1/products', { headers: wrong })).status).toBe(401);
  expect(await (await server.as(null, '/v1/products')).json()).toEqual({ products: [] });
});
