import { readFileSync, rmSync } from 'node:fs';
import { createServer, request, type Server as HttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { connect as tlsConnect } from 'node:tls';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { run } from '../../tools/process.mjs';
import { root, type Server, startServer } from '../server.ts';
import { selfMade } from './certificate.ts';

// Over TLS, and with an issuer of tokens that is asked over TLS: as a user would set it up, with a certificate of one's own.

let made: Awaited<ReturnType<typeof selfMade>>;
let issuer: HttpsServer;
let server: Server<'vera'>;
const pair = await generateKeyPair('ES256');
const next = await generateKeyPair('ES256');
/** What the issuer answers now. */
let published: { readonly keys: readonly object[] } | 'broken' = 'broken';

beforeAll(async () => {
  made = await selfMade();
  const keyed = { cert: readFileSync(made.certificate), key: readFileSync(made.key) };
  issuer = createServer(keyed, (_, response) => {
    response.writeHead(published === 'broken' ? 500 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(published));
  });
  await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve));
  const jwks = `https://localhost:${(issuer.address() as AddressInfo).port}/jwks.json`;
  vi.stubEnv('NODE_EXTRA_CA_CERTS', made.certificate);
  server = await startServer({
    paths: [join(root, 'examples/flights')],
    environment: `stores:
  lake: { root: ${join(root, 'node_modules/vega-datasets/data')} }
tls: { certificate: ${made.certificate}, key: ${made.key} }
identity:
  jwt:
    - { issuer: "https://id.example", audience: ambit, jwks: "${jwks}", algorithms: [ES256], tenant: mobility, roles: groups }
`,
    subjects: { vera: { tenant: 'mobility', roles: ['auditor'] } },
  });
}, 60_000);
afterAll(async () => {
  vi.unstubAllEnvs();
  await server?.close();
  issuer?.close();
  rmSync(made.folder, { recursive: true });
});

interface Answer {
  readonly status: number;
  readonly body: string;
}

function get(path: string, token: string, ca: Buffer | undefined = readFileSync(made.certificate)): Promise<Answer> {
  const { port } = new URL(server.url);
  const headers = { authorization: `Bearer ${token}` };
  return new Promise((resolve, reject) => {
    const asked = request({
      host: 'localhost',
      port,
      path,
      headers,
      agent: false,
      ...(ca === undefined ? {} : { ca }),
    });
    asked.on('error', reject);
    asked.on('response', (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    asked.end();
  });
}

test('the server is asked over TLS, by whoever trusts its certificate', async () => {
  expect(server.url).toMatch(/^https:/);
  expect((await get('/v1/products', server.token('vera'))).status).toBe(200);
  await expect(get('/v1/products', server.token('vera'), Buffer.from(''))).rejects.toThrow(
    /self.signed|unable to verify/,
  );
});

test('without TLS, or with one of old, it says nothing', async () => {
  await expect(fetch(server.url.replace('https:', 'http:'))).rejects.toThrow();
  const { port } = new URL(server.url);
  const old = tlsConnect({
    host: 'localhost',
    port: Number(port),
    rejectUnauthorized: false,
    minVersion: 'TLSv1',
    maxVersion: 'TLSv1.1',
    ciphers: 'DEFAULT@SECLEVEL=0',
  });
  await expect(
    new Promise((resolve, reject) => {
      old.once('secureConnect', resolve);
      old.once('error', reject);
    }),
  ).rejects.toThrow();
});

test('the command asks it too', async () => {
  const env = { ...process.env, AMBIT_TOKEN: server.token('vera'), NODE_EXTRA_CA_CERTS: made.certificate };
  const words = [
    join(root, 'packages/cli/bin/ambit.js'),
    'products',
    '--server',
    server.url.replace('127.0.0.1', 'localhost'),
  ];
  const asked = await run(process.execPath, words, { env, output: 'capture' });
  expect(asked).toMatchObject({ status: 0, stdout: expect.stringContaining('flights') });
  const stranger = await run(process.execPath, words, { env: { ...env, NODE_EXTRA_CA_CERTS: '' }, output: 'capture' });
  expect(stranger).toMatchObject({ status: 3, stdout: '' });
});

const token = (key: CryptoKey, kid: string): Promise<string> =>
  new SignJWT({ groups: ['auditor'] })
    .setProtectedHeader({ alg: 'ES256', kid })
    .setIssuer('https://id.example')
    .setAudience('ambit')
    .setSubject('tara')
    .setExpirationTime('5m')
    .sign(key);
const firstKey = async () => ({ ...(await exportJWK(pair.publicKey)), kid: 'k1', alg: 'ES256' });

test('a token is checked with the keys that its issuer publishes; while those cannot be read, nobody can tell', async () => {
  const unread = await get('/v1/products', await token(pair.privateKey, 'k1'));
  expect(unread.status).toBe(503);
  expect(JSON.parse(unread.body)).toMatchObject({ code: 'identity_unavailable', boundary: 'authentication' });
  // Keys of this server do not hang on it.
  expect((await get('/v1/products', server.token('vera'))).status).toBe(200);

  published = { keys: [await firstKey()] };
  const listed = await get('/v1/products', await token(pair.privateKey, 'k1'));
  expect(listed.status).toBe(200);
  expect(JSON.parse(listed.body)).toMatchObject({
    products: [{ name: 'flights', purposes: [{ name: 'safety-audit' }] }, { name: 'evidence' }],
  });
});

test('a token of a key that is not published is none', async () => {
  published = { keys: [await firstKey()] };
  for (const [key, kid] of [
    [next.privateKey, 'k1'],
    [next.privateKey, 'k2'],
    [pair.privateKey, 'k2'],
  ] as const) {
    const refused = await get('/v1/products', await token(key, kid));
    expect({ kid, ...JSON.parse(refused.body) }).toMatchObject({ kid, status: 401, code: 'credential_invalid' });
  }
});

test('a certificate that is not there is said in a line', async () => {
  const start = startServer({
    paths: [join(root, 'examples/flights')],
    environment: `stores: { lake: { root: ${made.folder} } }\ntls: { certificate: nowhere.pem, key: ${made.key} }\n`,
    subjects: {},
  });
  await expect(start).rejects.toThrow(/error: cannot read the certificate `.*nowhere.pem`: ENOENT\nhint: /);
});
