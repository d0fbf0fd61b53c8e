import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { codeOf, type Evidence, tableOf } from './oracles.ts';
import { INJECTION } from './rows.ts';
import { type Reply, startWorld, type World, whole, expectNothingHidden } from './world.ts';

// H. Agents: what a row says is not an instruction, what a request says is no identity, and who acts is on record.

const ISSUER = 'https://issuer.example';
let world: World;
let keys: Awaited<ReturnType<typeof generateKeyPair>>;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ambit-jwks-'));
  keys = await generateKeyPair('ES256', { extractable: true });
  writeFileSync(
    join(folder, 'jwks.json'),
    JSON.stringify({ keys: [{ ...(await exportJWK(keys.publicKey)), kid: 'k', alg: 'ES256' }] }),
  );
  const issuer = `{ issuer: "${ISSUER}", audience: ambit, jwks: ${join(folder, 'jwks.json')}, algorithms: [ES256], tenant: a, kind: kind, claims: { tenant: tenant, lead: lead } }`;
  world = await startWorld('w', {
    environment: `engine: { workers: 1, threads: 2, memory: 256MiB, spill: 0B }\nidentity: { jwt: [${issuer}] }\n`,
  });
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await world.close();
});

const good = { sub: 'ann', kind: 'user', roles: ['analyst'], tenant: 'a', lead: 'lea' };
const agent = { ...good, act: { sub: 'helper' } };

function token(claims: object, options: { audience?: string; issuer?: string; expires?: string | null } = {}) {
  const { audience = 'ambit', issuer = ISSUER, expires = '5m' } = options;
  const jwt = new SignJWT({ ...claims }).setProtectedHeader({ alg: 'ES256', kid: 'k' }).setIssuedAt();
  jwt.setAudience(audience).setIssuer(issuer);
  return (expires === null ? jwt : jwt.setExpirationTime(expires)).sign(keys.privateKey);
}

async function ask(bearer: string, body: object, headers: Record<string, string> = {}): Promise<Reply> {
  const reply = await whole(
    await world.server.as(null, '/v1/products/people/query', {
      body,
      headers: { authorization: `Bearer ${bearer}`, ...headers },
    }),
  );
  expectNothingHidden(reply, JSON.stringify(body));
  return reply;
}
const count = { sql: 'SELECT count(*) FROM emp', purpose: 'analytics' };

describe('what a row says', () => {
  test('H1 is data, in every format, and what it asks for is denied like before', async () => {
    const sql = 'SELECT note FROM emp WHERE id = 1035';
    expect(tableOf(await world.ask(sql), true).rows).toEqual([[INJECTION]]);
    const csv = await world.ask({ sql, accept: 'text/csv' });
    expect(csv.text).toBe(`note\r\n"${INJECTION.replaceAll('"', '""')}"\r\n`);
    expect(codeOf(await world.ask('SELECT * FROM payroll'))).toBe('table_unknown');
  });

  test('H16 is never markup to a browser', async () => {
    for (const accept of ['application/json', 'text/csv', 'application/x-ndjson']) {
      const { headers } = await world.ask({ sql: "SELECT '<script>alert(1)</script>' AS x", accept });
      expect(headers['content-type']).toContain(accept);
      expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' });
      expect(headers['content-security-policy']).toContain("default-src 'none'");
      expect(headers['access-control-allow-origin']).toBeUndefined();
    }
    expect(
      (await world.send('alice', '/v1/products/people/query', { method: 'OPTIONS' })).status,
    ).toBeGreaterThanOrEqual(400);
    expect(codeOf(await world.ask({ sql: 'SELECT 1', accept: 'text/html' }))).toBe('not_acceptable');
  });
});

test('who else is believed is not for consumers to know', async () => {
  const session = (await ask(await token(good), count)).headers['ambit-session'] ?? '';
  const bearer = { authorization: `Bearer ${await token(good)}` };
  const evidence = await whole(await world.server.as(null, `/v1/sessions/${session}`, { headers: bearer }));
  expect(evidence.status).toBe(200);
  expect(evidence.text).toContain('"fingerprint"');
  expect(evidence.text).not.toContain('jwks');
});

describe('what a request says', () => {
  test.each([
    ['two statements', 'SELECT 1; SELECT 2', 'statement_refused'],
    ['a way out of a transaction', 'SELECT 1; COMMIT; DROP TABLE emp', 'statement_refused'],
    ['a comment that ends it', 'SELECT 1 /* ; */; DROP TABLE emp --', 'statement_refused'],
    ['a write in disguise', 'WITH x AS (INSERT INTO emp VALUES (1) RETURNING *) SELECT * FROM x', 'statement_refused'],
  ])('H4 %s', async (_, sql, code) => {
    expect(codeOf(await world.ask(sql))).toBe(code);
  });

  test.each([
    ['a tenant', { tenant: 'b' }],
    ['a role', { roles: ['auditor'] }],
    ['a subject', { subject: { principal: 'auditor' } }],
    ['somebody else', { onBehalfOf: { tenant: 'a', principal: 'auditor' } }],
    ['claims', { claims: { tenant: 'b' } }],
    ['an environment', { environment: 'production' }],
    ['a boundary', { boundary: 'sha256:0' }],
    ['settings', { settings: { 'datafusion.optimizer.max_passes': 0 } }],
    ['limits', { limits: { rows: 1e12 } }],
    ['a session', { session: 'ses_0' }],
    ['a scope', { scope: 'tenant' }],
    ['a prototype', JSON.parse('{"__proto__": {"purpose": "billing"}}') as object],
  ])('H5 %s in the body is refused, not ignored', async (_, more) => {
    const body = JSON.stringify(count).replace('}', `,${JSON.stringify(more).slice(1)}`);
    const reply = await world.send('alice', '/v1/products/people/query', { body });
    expect(codeOf(reply)).toBe('request_invalid');
  });

  test.each([
    ['x-forwarded-user', 'auditor'],
    ['x-tenant', 'b'],
    ['x-ambit-principal', 'auditor'],
    ['ambit-subject', 'auditor'],
    ['x-original-url', '/v1/products/other'],
    ['x-http-method-override', 'DELETE'],
    ['cookie', 'session=auditor'],
  ])('H5 the header %s changes nothing', async (name, value) => {
    const sql = 'SELECT count(*), min(tenant), max(ssn) FROM emp';
    const body = { sql, purpose: 'analytics' };
    const reply = await world.send('alice', '/v1/products/people/query', { body, headers: { [name]: value } });
    expect(tableOf(reply, true).rows).toEqual([[60, 'a', '***']]);
  });

  test.each([
    ['/v1/products/..%2f..%2fetc%2fpasswd'],
    ['/v1/products/people/queries/..%2fquery'],
    ['/v1/../../../etc/passwd'],
    ['/v1/products/people/query/../../../sessions'],
    ['/v1/resources?uri=file:///etc/passwd'],
    ['/v1/completions'],
    ['//etc/passwd'],
    ['/v1/products/%00'],
  ])('H11 a side door: %s', async (path) => {
    const reply = await world.send('alice', path, { headers: { 'ambit-purpose': 'analytics' } });
    expect(reply.text).not.toContain('root:');
    expect([400, 404, 405]).toContain(path.endsWith('sessions') ? 404 : reply.status);
  });
});

describe('tokens', () => {
  test('H6 one that was minted for this server is taken, and no other', async () => {
    expect(tableOf(await ask(await token(good), count), true).rows).toEqual([[60]]);
    const other = await generateKeyPair('ES256');
    const forged = new SignJWT({ ...good }).setProtectedHeader({ alg: 'ES256', kid: 'k' }).setIssuer(ISSUER);
    const hmac = new SignJWT({ ...good, iss: ISSUER, aud: 'ambit', exp: 4e9 }).setProtectedHeader({
      alg: 'HS256',
      kid: 'k',
    });
    const bad: Readonly<Record<string, string>> = {
      'another audience': await token(good, { audience: 'other-service' }),
      'another issuer': await token(good, { issuer: 'https://evil.example' }),
      'its end has come': await token(good, { expires: '-5m' }),
      'it has no end': await token(good, { expires: null }),
      'no signature': new UnsecuredJWT({ ...good, iss: ISSUER, aud: 'ambit', exp: 4e9 }).encode(),
      'another key': await forged.setAudience('ambit').setExpirationTime('5m').sign(other.privateKey),
      'another algorithm': await hmac.sign(new TextEncoder().encode('k'.repeat(32))),
      'no subject': await token({ ...good, sub: undefined }),
      'no JWT': 'eyJhbGciOiJub25lIn0.e30.',
    };
    for (const [what, bearer] of Object.entries(bad)) {
      expect(codeOf(await ask(bearer, count)), what).toBe('credential_invalid');
    }
  });

  test('H3 H7 an agent has no more than its user, and the evidence has both', async () => {
    const reply = await ask(await token(agent), count);
    expect(tableOf(reply, true).rows).toEqual([[60]]);
    const evidence = await world.send('auditor', `/v1/sessions/${reply.headers['ambit-session']}`);
    expect(evidence.json<Evidence>().intent['subject']).toMatchObject({
      kind: 'agent',
      principal: 'helper',
      onBehalfOf: { tenant: 'a', principal: 'ann' },
    });
    for (const sql of ['SELECT * FROM payroll', 'SELECT salary_raw FROM emp']) {
      expect(codeOf(await ask(await token(agent), { ...count, sql })), sql).toMatch(/_unknown$/);
    }
  });

  test.each([
    ['no actor', { ...good, kind: 'agent' }],
    ['an actor without a name', { ...good, act: {} }],
    ['an actor that is a word', { ...good, act: 'helper' }],
    ['an actor of no name', { ...good, act: { sub: '' } }],
    ['an actor that is a list', { ...good, act: [{ sub: 'helper' }] }],
    ['a kind of its own', { ...good, kind: 'admin' }],
  ])('H7 a chain that cannot be read is refused: %s', async (_, claims) => {
    expect(codeOf(await ask(await token(claims), count))).toBe('credential_invalid');
  });

  test('H8 a session of a user is not that of an agent with its name', async () => {
    const session = (await ask(await token(good), count)).headers['ambit-session'] ?? '';
    const path = `/v1/sessions/${session}`;
    const read = async (claims: object): Promise<number> => {
      const headers = { authorization: `Bearer ${await token(claims)}` };
      return (await world.server.as(null, path, { headers })).status;
    };
    expect(await read(good)).toBe(200);
    expect(await read({ ...good, sub: 'carl' })).toBe(404);
    expect(await read({ ...good, sub: 'carl', act: { sub: 'ann' } })).toBe(404);
    expect(await read({ ...good, kind: 'service' })).toBe(404);
  });

  test('H15 a bait for everything ends at the limit of rows, and says so', async () => {
    const sql = 'SELECT unnest(range(0, 2000000)) AS x';
    const reply = await world.ask({ sql, accept: 'application/x-ndjson' });
    expect(reply.complete).toBe(false);
    const evidence = await world.send('auditor', `/v1/sessions/${reply.headers['ambit-session']}`);
    expect(evidence.json<Evidence>().outcome).toMatchObject({ status: 'failed', error: { code: 'limit_rows' } });
  });
});
