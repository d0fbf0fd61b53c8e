// The flights, served with their evidence durable, or with none of it written: for the bench alone. Says where it listens.
//
//   node bench/peers/recorded.mjs durable|off FOLDER

import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { root } from '../../tools/setup.mjs';
import { auditor, data } from '../flights.mjs';

const [mode, folder = ''] = process.argv.slice(2);
const { engineBinary, startEngine } = await import('../../packages/engine/dist/index.js');
const { openLog } = await import('../../packages/evidence/dist/index.js');
const { createKey, startServer } = await import('../../packages/server/dist/index.js');
const { loadEnvironment, loadProducts } = await import('../../packages/session/dist/index.js');

mkdirSync(folder, { recursive: true });
const environment = join(folder, 'environment.yaml');
writeFileSync(
  environment,
  `apiVersion: ambit/v1\nkind: Environment\nname: test\nstores: { lake: { root: ${data} } }\n`,
);
// As many sessions at once as there are clients: what is compared is not how they wait for each other.
const example = join(root, 'examples/flights');
const contract = join(folder, 'flights.yaml');
const text = readFileSync(join(example, 'flights.yaml'), 'utf8');
writeFileSync(contract, text.replace('concurrency: 8', 'concurrency: 128'));
copyFileSync(join(example, 'flights.cedar'), join(folder, 'flights.cedar'));

const engine = await startEngine({
  binary: engineBinary(),
  isolation: 'shared',
  workers: 1,
  threads: 2,
  memoryBytes: 1024 ** 3,
  spillBytes: 0,
  roots: [data],
  endpoints: [],
  log: () => {},
});
const products = await loadProducts([contract], await loadEnvironment(environment), engine);
const durable = await openLog({ folder: join(folder, 'evidence'), ambit: '0.1.0' });
let seq = 0;
const off = {
  ...durable,
  append: async () => /** @type {any} */ ({ seq: seq++ }),
  ensureBoundary: async () => {},
  ensureGrant: async () => {},
};
const keys = join(folder, 'keys.json');
const { token } = await createKey(keys, auditor);
const server = await startServer({
  products,
  engine,
  evidence: mode === 'off' ? off : durable,
  keys,
  issuers: [],
  host: '127.0.0.1',
  port: 0,
  tls: null,
  insecure: false,
  version: '0.1.0',
  log: () => {},
});
console.log(JSON.stringify({ url: server.url, token }));
const stopped = new Promise((resolve) => process.once('SIGTERM', resolve));
await stopped;
await server.close();
await engine.close();
await durable.close();
