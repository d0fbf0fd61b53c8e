import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { problems } from '../src/problems.ts';
import { HIDDEN } from './product.ts';
import { analyst, query, type Reply, startWorld, type World } from './support.ts';

let world: World;
let ada: string;
beforeAll(async () => {
  world = await startWorld();
  ada = await world.token(analyst);
});
afterAll(() => world?.close());

function expectProblem(reply: Reply, code: keyof typeof problems): void {
  const [status, boundary, title] = problems[code];
  expect(reply.headers['content-type']).toMatch(/^application\/problem\+json/);
  expect(reply.json()).toMatchObject({ type: `urn:ambit:problem:${code}`, title, status, code, boundary });
  expect(reply.status).toBe(status);
  expect(reply.body).not.toContain(HIDDEN);
  expect(reply.body).not.toMatch(/node_modules|\.[jt]s:\d|\/tmp\//);
}

const ask = (sql: string): Promise<Reply> => world.ask({ ...query(sql), token: ada });

describe('a refusal names its boundary', () => {
  it.each([
    ['SELEC 1', 'sql_syntax'],
    ['SELECT 1; SELECT 2', 'statement_refused'],
    ['SET datafusion.execution.batch_size = 1', 'statement_refused'],
    ['SELECT nothing FROM orders', 'column_unknown'],
    ['SELECT * FROM nothing', 'table_unknown'],
    ['SELECT md5(region) FROM orders', 'function_unknown'],
    ['SELECT id FROM orders WHERE id = $id', 'parameter_invalid'],
    [`SELECT ${'1+'.repeat(6_000)}1`, 'statement_too_complex'],
    ['SELECT 1 / (id - id) FROM orders', 'compute_failed'],
  ] as const)('%.40s: %s', async (sql, code) => {
    const reply = await ask(sql);
    expectProblem(reply, code);
    expect(reply.json()['session']).toMatch(/^ses_[0-9a-f]{32}$/);
  });

  it('no purpose, an unknown purpose', async () => {
    const url = '/v1/products/shop/query';
    expectProblem(await world.ask({ url, token: ada, payload: { sql: 'SELECT 1' } }), 'purpose_required');
    const unknown = await world.ask({ url, token: ada, payload: { sql: 'SELECT 1', purpose: 'fun' } });
    expectProblem(unknown, 'purpose_refused');
    // A purpose of the product that this subject may not have is as one that was never there.
    const denied = await world.ask({ url, token: ada, payload: { sql: 'SELECT 1', purpose: 'audit' } });
    expect(denied.body).toBe(unknown.body.replaceAll('fun', 'audit'));
  });

  it('two purposes that differ; the same one twice is one', async () => {
    const twice = (purpose: string): Promise<Reply> =>
      world.ask({ ...query('SELECT 1 AS one'), token: ada, headers: { 'ambit-purpose': purpose } });
    expectProblem(await twice('audit'), 'purpose_refused');
    expect((await twice('reporting')).status).toBe(200);
  });

  it('a claim that a policy needs', async () => {
    const token = await world.token({ ...analyst, principal: 'claimless', claims: {} });
    expectProblem(await world.ask({ ...query('SELECT * FROM orders'), token }), 'claim_missing');
  });
});

describe('what is denied and what was never there get the same answer', () => {
  it('a product of another tenant', async () => {
    const of = (product: string): Promise<Reply> =>
      world.ask({
        url: `/v1/products/${product}/query`,
        token: ada,
        payload: { sql: 'SELECT 1', purpose: 'reporting' },
      });
    const denied = await of('vault');
    expectProblem(denied, 'product_unknown');
    expect((await of('vaulx')).body).toBe(denied.body.replaceAll('vault', 'vaulx'));
    const described = await world.ask({ url: '/v1/products/vault', token: ada });
    const missing = await world.ask({ url: '/v1/products/vaulx', token: ada });
    expect(missing.body).toBe(described.body.replaceAll('vault', 'vaulx'));
    expect((await world.ask({ url: '/v1/products', token: ada })).body).not.toContain('vault');
  });

  it.each([
    ['SELECT * FROM payroll', 'SELECT * FROM payrolx'],
    ['SELECT margin_code FROM orders', 'SELECT margin_codx FROM orders'],
    ['SELECT o.margin_code FROM orders o', 'SELECT o.margin_codx FROM orders o'],
    ['SELECT upper(region) FROM orders', 'SELECT uppex(region) FROM orders'],
  ])('%s', async (denied, missing) => {
    const strip = ({ body }: Reply): string =>
      body.replace(/ses_[0-9a-f]+/, '').replace(/(payrol|margin_cod|uppe)./g, '$1');
    expect(strip(await ask(denied))).toBe(strip(await ask(missing)));
  });
});

describe('a request that is not of its form', () => {
  const url = '/v1/products/shop/query';

  it.each([
    ['an unknown member', { sql: 'SELECT 1', tenant: 'south' }],
    ['no statement', { purpose: 'reporting' }],
    ['an empty statement', { sql: '' }],
    ['a statement that is none', { sql: 1 }],
    ['parameters that are none', { sql: 'SELECT 1', parameters: [1] }],
    ['a name that cannot be one', { sql: 'SELECT 1', parameters: { 'a b': 1 } }],
    ['a list as a value', { sql: 'SELECT $a', parameters: { a: [1] } }],
    ['more than type and value', { sql: 'SELECT $a', parameters: { a: { type: 'int', value: 1, more: 1 } } }],
    ['broken JSON', '{"sql": '],
    ['no JSON object', '"SELECT 1"'],
    ['a prototype', '{"sql": "SELECT 1", "__proto__": {"purpose": "audit"}}'],
  ])('%s', async (_, payload) => {
    expectProblem(await world.ask({ url, token: ada, payload }), 'request_invalid');
  });

  it('a body of another type or size', async () => {
    const plain = { 'content-type': 'text/csv' };
    expectProblem(await world.ask({ url, token: ada, headers: plain, payload: 'a' }), 'media_type_unsupported');
    const huge = { sql: `SELECT '${'x'.repeat(1024 * 1024)}'` };
    expectProblem(await world.ask({ url, token: ada, payload: huge }), 'body_too_large');
  });

  it('text is no JSON', async () => {
    const plain = { 'content-type': 'text/plain' };
    expectProblem(await world.ask({ url, token: ada, headers: plain, payload: 'a' }), 'media_type_unsupported');
  });

  it('a format that is not there', async () => {
    const reply = await world.ask({ ...query('SELECT 1'), token: ada, headers: { accept: 'text/html' } });
    expectProblem(reply, 'not_acceptable');
  });

  it('a path, and a method', async () => {
    expectProblem(await world.ask({ url: '/v1/nothing', token: ada }), 'not_found');
    const reply = await world.ask({ url, method: 'PUT', token: ada });
    expectProblem(reply, 'method_not_allowed');
    expect(reply.headers['allow']).toBe('POST');
  });
});

describe('the evidence of a refusal', () => {
  it.each([
    ['purpose_refused', { url: '/v1/products/shop/query', payload: { sql: 'SELECT 1', purpose: 'fun' } }],
    ['product_unknown', { url: '/v1/products/vault/query', payload: { sql: 'SELECT 1', purpose: 'reporting' } }],
    ['query_unknown', { url: '/v1/products/shop/queries/none', payload: { purpose: 'reporting' } }],
    ['parameter_invalid', { url: '/v1/products/shop/queries/largest', payload: { purpose: 'reporting' } }],
  ])('%s', async (code, asked) => {
    const appended: unknown[] = [];
    const { evidence } = world;
    const append = evidence.append.bind(evidence);
    // Watched, not replaced: the record is written.
    evidence.append = async (body) => {
      const record = await append(body);
      appended.push(record);
      return record;
    };
    try {
      const reply = await world.ask({ ...asked, token: ada });
      expect(reply.json()['code']).toBe(code);
    } finally {
      evidence.append = append;
    }
    expect(appended).toMatchObject([{ type: 'request.refused', code, subject: { principal: 'ada', tenant: 'north' } }]);
  });
});

it('every code is in the documentation, with its status and boundary', async () => {
  const docs = await readFile(new URL('../../../docs/api.md', import.meta.url), 'utf8');
  const rows = Object.entries(problems).map(
    ([code, [status, boundary]]) => `| \`${code}\` | ${status} | ${boundary} |`,
  );
  for (const row of rows) expect(docs).toContain(row);
  expect(docs.match(/^\| `[a-z_]+` \| \d{3} \| /gm)).toHaveLength(rows.length);
});
