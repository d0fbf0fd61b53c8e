import { tableFromIPC } from '@uwdata/flechette';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { negotiate } from '../src/formats.ts';
import { analyst, auditor, query, sessionsOf, startWorld, transfer, type World } from './support.ts';

let world: World;
let ada: string;
let otto: string;
beforeAll(async () => {
  world = await startWorld();
  ada = await world.token(analyst);
  otto = await world.token(auditor);
});
afterAll(() => world?.close());

const ORDERS = 'SELECT id, region, customer FROM orders ORDER BY id';

describe('a result', () => {
  it('is narrowed by filter and mask, and wide for whom the policy exempts', async () => {
    const narrow = await world.ask({ ...query(ORDERS), token: ada });
    expect(narrow.json()['rows']).toEqual([
      [1, 'west', 'A'],
      [2, 'west', 'B'],
    ]);
    const wide = await world.ask({
      url: '/v1/products/shop/query',
      token: otto,
      payload: { sql: ORDERS, purpose: 'audit' },
    });
    expect(wide.json()['rows']).toHaveLength(3);
    expect(wide.body).toContain('Ann');
  });

  it('says in its headers which session, boundary, purpose and evidence it came from', async () => {
    const { headers } = await world.ask({ ...query(ORDERS), token: ada });
    const session = await world.evidence.session(headers['ambit-session'] ?? '');
    expect(session?.intent.seq).toBe(Number(headers['ambit-evidence']));
    expect(session?.intent.fingerprint).toBe(headers['ambit-fingerprint']);
    expect(headers['ambit-fingerprint']).toBe(
      world.products.find(({ boundary }) => boundary.product.name === 'shop')?.fingerprint,
    );
    expect(headers['ambit-purpose']).toBe('reporting');
    expect(headers['cache-control']).toBe('no-store');
  });

  it('has its outcome in the evidence by the time it ends', async () => {
    const { headers, body } = await world.ask({ ...query(ORDERS), token: ada });
    const session = await world.evidence.session(headers['ambit-session'] ?? '');
    expect(session?.outcome).toMatchObject({ status: 'completed', error: null, rows: 2, bytes: body.length });
    expect(Object.keys(session?.outcome?.steps ?? {})).toEqual(
      expect.arrayContaining(['authorize', 'admit', 'intent', 'plan', 'run']),
    );
  });

  it('comes in every format, with the same rows', async () => {
    const json = await transfer(world, ada, ORDERS, 'application/json');
    const ndjson = await transfer(world, ada, ORDERS, 'application/x-ndjson');
    const csv = await transfer(world, ada, ORDERS, 'text/csv');
    const arrow = await transfer(world, ada, ORDERS, 'application/vnd.apache.arrow.stream');
    for (const answer of [json, ndjson, csv, arrow]) expect(answer).toMatchObject({ status: 200, complete: true });
    expect(JSON.parse(json.bytes.toString())).toMatchObject({
      columns: [
        { name: 'id', type: 'bigint' },
        { name: 'region', type: 'string' },
        { name: 'customer', type: 'string' },
      ],
      complete: true,
    });
    const lines = ndjson.bytes.toString().trim().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      { id: 1, region: 'west', customer: 'A' },
      { id: 2, region: 'west', customer: 'B' },
    ]);
    expect(csv.bytes.toString()).toBe('id,region,customer\r\n1,west,A\r\n2,west,B\r\n');
    const table = tableFromIPC(arrow.bytes);
    expect(table.toArray().map((row) => ({ ...row, id: Number(row['id']) }))).toEqual([
      { id: 1, region: 'west', customer: 'A' },
      { id: 2, region: 'west', customer: 'B' },
    ]);
  });

  it('of no rows is whole too', async () => {
    const none = 'SELECT id FROM orders WHERE id = 99';
    const json = await transfer(world, ada, none, 'application/json');
    expect(JSON.parse(json.bytes.toString())).toMatchObject({ rows: [], complete: true });
    const csv = await transfer(world, ada, none, 'text/csv');
    expect(csv).toMatchObject({ complete: true, bytes: Buffer.from('id\r\n') });
    const arrow = await transfer(world, ada, none, 'application/vnd.apache.arrow.stream');
    expect(tableFromIPC(arrow.bytes).numRows).toBe(0);
  });
});

describe('the format', () => {
  it.each([
    [undefined, 'json'],
    ['*/*', 'json'],
    ['text/*', 'csv'],
    ['text/csv, application/json', 'json'],
    ['application/json;q=0.5, text/csv', 'csv'],
    ['application/*;q=0.2, text/csv;q=0.1', 'json'],
    ['APPLICATION/X-NDJSON', 'ndjson'],
    ['text/html, application/vnd.apache.arrow.stream;q=0.1', 'arrow'],
  ])('for %s is %s', (accept, format) => {
    expect(negotiate(accept)).toBe(format);
  });

  it.each(['text/html', 'application/json;q=0', 'application/json;q=x', ''])('for `%s` there is none', (accept) => {
    expect(() => negotiate(accept)).toThrow('no format');
  });

  it('is one that was accepted, and no other was accepted more', () => {
    const types = ['application/json', 'application/x-ndjson', 'text/csv', 'application/vnd.apache.arrow.stream'];
    const formats = ['json', 'ndjson', 'csv', 'arrow'];
    const weights = fc.tuple(...types.map(() => fc.integer({ min: 0, max: 10 })));
    fc.assert(
      fc.property(weights, (tenths) => {
        fc.pre(tenths.some((weight) => weight > 0));
        const accept = types.map((type, at) => `${type};q=${(tenths[at] ?? 0) / 10}`).join(', ');
        const chosen = formats.indexOf(negotiate(accept));
        expect(tenths[chosen]).toBe(Math.max(...tenths));
      }),
    );
  });

  it('takes a more specific range before a general one', () => {
    // RFC 9110 12.5.1: the most specific range that matches a type gives its weight.
    expect(negotiate('application/json;q=0.1, */*;q=0.5')).not.toBe('json');
    expect(negotiate('*/*, application/json;q=0')).not.toBe('json');
  });
});

describe('parameters', () => {
  const typed = (parameters: object): Promise<string> =>
    world
      .ask({ ...query('SELECT id FROM orders WHERE id = $id AND region = $region', parameters), token: ada })
      .then(({ body }) => body);

  it('have the type of their JSON value, or the one that is given', async () => {
    expect(JSON.parse(await typed({ id: 1, region: 'west' }))).toMatchObject({ rows: [[1]] });
    expect(JSON.parse(await typed({ id: { type: 'bigint', value: '1' }, region: 'west' }))).toMatchObject({
      rows: [[1]],
    });
  });

  it.each([
    [{ id: 1 }],
    [{ id: { type: 'bigint', value: 'one' }, region: 'west' }],
    [{ id: { type: 'nothing', value: 1 }, region: 'west' }],
    [{ id: 1, region: 'west', more: 1 }],
  ])('%j are refused', async (parameters) => {
    expect(JSON.parse(await typed(parameters))).toMatchObject({ status: 400, code: 'parameter_invalid' });
  });

  it('are values: text in them is never SQL', async () => {
    expect(JSON.parse(await typed({ id: 1, region: "west' OR 'a' = 'a" }))).toMatchObject({ rows: [] });
  });
});

describe('a named query', () => {
  const url = '/v1/products/shop/queries/largest';
  const headers = { 'ambit-purpose': 'reporting' };

  it('runs by GET and by POST, with its types and defaults', async () => {
    const get = await world.ask({ url: `${url}?top=1`, headers, token: ada });
    expect(get.json()).toMatchObject({ rows: [[2, 20]], complete: true });
    const post = await world.ask({ url, headers, token: ada, payload: { parameters: { top: 2, above: 15 } } });
    expect(post.json()).toMatchObject({ rows: [[2, 20]], complete: true });
    const [{ intent } = { intent: null }] = await sessionsOf(world, 'ada');
    expect(intent?.statement).toMatchObject({ kind: 'query', name: 'largest' });
  });

  it('reads booleans and dates from a query string', async () => {
    const rainy = (asked: string): Promise<unknown> =>
      world
        .ask({ url: `/v1/products/weather/queries/rainy${asked}`, headers: { 'ambit-purpose': 'browsing' } })
        .then((reply) => reply.json()['rows']);
    expect(await rainy('')).toEqual([['2001-01-01'], ['2001-01-03']]);
    expect(await rainy('?rain=false')).toEqual([['2001-01-02']]);
    expect(await rainy('?since=2001-01-02')).toEqual([['2001-01-03']]);
  });

  it.each([
    '',
    '?top=many',
    '?top=1&top=2',
    '?top=1&bottom=2',
    '?top=1&toString=2',
    '?top=1&constructor=2',
    '?top=1&above=',
  ])('refuses `%s`', async (asked) => {
    const reply = await world.ask({ url: `${url}${asked}`, headers, token: ada });
    expect(reply.json()).toMatchObject({ status: 400, code: 'parameter_invalid' });
  });

  it('that reads what is not granted is not there', async () => {
    const denied = await world.ask({ url: '/v1/products/shop/queries/everything-paid', headers, token: ada });
    const missing = await world.ask({ url: '/v1/products/shop/queries/everything-lost', headers, token: ada });
    expect(denied.status).toBe(404);
    expect(denied.body.replaceAll('paid', 'lost')).toBe(missing.body);
    const audit = { 'ambit-purpose': 'audit' };
    const granted = await world.ask({ url: '/v1/products/shop/queries/everything-paid', headers: audit, token: otto });
    expect(granted.json()).toMatchObject({ rows: [[1]] });
  });
});
