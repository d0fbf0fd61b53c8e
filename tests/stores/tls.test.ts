import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server as HttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { run } from '../../tools/process.mjs';
import { selfMade } from '../api/certificate.ts';
import { startServer } from '../server.ts';

// A store over TLS, found by its name: who vouches for it is said, and nobody else is believed.

const CSV = 'region,name\nnorth,North\n';
const subjects = { ann: { tenant: 'shop', roles: ['clerk'] } };

let own: Awaited<ReturnType<typeof selfMade>>;
let others: Awaited<ReturnType<typeof selfMade>>;
let store: HttpsServer;
let endpoint = '';
let folder = '';
beforeAll(async () => {
  [own, others] = [await selfMade(), await selfMade()];
  store = createServer(await signedBy(own), (request, response) => {
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
    const part = from === undefined ? CSV : CSV.slice(Number(from), Number(to) + 1);
    response.writeHead(from === undefined ? 200 : 206, {
      etag: '"one"',
      'last-modified': 'Mon, 01 Jun 2026 00:00:00 GMT',
      'content-length': String(part.length),
      ...(from === undefined
        ? {}
        : { 'content-range': `bytes ${from}-${Number(from) + part.length - 1}/${CSV.length}` }),
    });
    response.end(request.method === 'HEAD' ? undefined : part);
  });
  await new Promise<void>((done) => store.listen(0, '127.0.0.1', done));
  endpoint = `https://localhost:${(store.address() as AddressInfo).port}`;
  folder = mkdtempSync(join(tmpdir(), 'ambit-store-tls-'));
  writeFileSync(join(folder, 'shops.yaml'), CONTRACT);
  writeFileSync(join(folder, 'shops.cedar'), CEDAR);
}, 60_000);
afterAll(() => {
  store.closeAllConnections();
  store.close();
  for (const gone of [own.folder, others.folder, folder]) rmSync(gone, { recursive: true });
});

/** A server's certificate that the maker of another vouches for: nobody's own is a server's. */
async function signedBy({ folder: at, certificate, key }: typeof own): Promise<{ cert: Buffer; key: Buffer }> {
  const of = (name: string) => join(at, name);
  writeFileSync(of('leaf.txt'), 'subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n');
  const asked = ['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=a store'];
  const signed = ['x509', '-req', '-days', '2', '-CA', certificate, '-CAkey', key, '-CAcreateserial'];
  for (const words of [
    [...asked, '-keyout', of('leaf.key'), '-out', of('leaf.csr')],
    [...signed, '-in', of('leaf.csr'), '-extfile', of('leaf.txt'), '-out', of('leaf.pem')],
  ]) {
    const { status, stderr } = await run('openssl', words, { output: 'capture' });
    if (status !== 0) throw new Error(stderr);
  }
  return { cert: readFileSync(of('leaf.pem')), key: readFileSync(of('leaf.key')) };
}

const CONTRACT = `apiVersion: ambit/v1
kind: DataProduct
name: shops
version: 1.0.0
tenant: shop
owner: { team: sales }
purposes: { selling: test }
stores: { lake: {} }
catalogs: { csv: { type: csv, store: lake } }
tables: { regions: { catalog: csv, path: regions.csv, columns: { region: { type: string }, name: { type: string } } } }
`;

const CEDAR =
  '@id("all") permit (principal in Role::"shop/clerk", action in [Action::"open", Action::"read"], resource);\n';

test.each([
  ['the certificate that vouches for it', 200, () => own.certificate],
  ["another's certificate", 502, () => others.certificate],
  ['what the machine trusts', 502, () => null],
])(
  'with %s it answers %i',
  async (_, status, certificate) => {
    const vouching = certificate() === null ? '' : `, certificates: "${certificate()}"`;
    const server = await startServer({
      paths: [folder],
      subjects,
      environment: `stores: { lake: { url: "s3://lake/shop/", endpoint: "${endpoint}"${vouching} } }\nlimits: { timeout: 60s }\n`,
    });
    try {
      const answer = await server.as('ann', '/v1/products/shops/query', {
        body: { sql: 'SELECT name FROM regions', purpose: 'selling' },
      });
      expect([answer.status, await answer.json()]).toEqual([
        status,
        expect.objectContaining(status === 200 ? { rows: [['North']] } : { code: 'source_failed' }),
      ]);
    } finally {
      await server.close();
    }
  },
  120_000,
);

test('a file that holds no certificate is told with its place', async () => {
  const wrong = startServer({
    paths: [folder],
    subjects,
    environment: `stores: { lake: { url: "s3://lake/shop/", endpoint: "${endpoint}", certificates: "${own.key}" } }\n`,
  });
  await expect(wrong).rejects.toThrow(/environment\.yaml:4:\d+.* holds no certificate/);
});
