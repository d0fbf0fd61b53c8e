import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from '../../tools/process.mjs';
import { pythonEnvironment } from '../../tools/setup/python.mjs';
import { root, type Server, startServer } from '../server.ts';

// schemathesis asks the running server, of each operation that it describes, examples of what the description allows and
// of what it does not: wrong types, missing members, other methods, bad credentials. All of its checks are on; it must
// find nothing. AMBIT_TEST_EXAMPLES says how many.

const SEED = Number(process.env['AMBIT_TEST_SEED'] ?? 20_011_011);
const EXAMPLES = Number(process.env['AMBIT_TEST_EXAMPLES'] ?? 6);

let server: Server<'vera' | 'noah'>;
let commands: string;

beforeAll(async () => {
  commands = await pythonEnvironment(root, join(root, 'tests/api/requirements.txt'));
  server = await startServer({
    paths: [join(root, 'examples/flights')],
    environment: `stores:\n  lake: { root: ${join(root, 'node_modules/vega-datasets/data')} }\n`,
    subjects: {
      vera: { tenant: 'mobility', roles: ['auditor'] },
      noah: { tenant: 'mobility', roles: ['researcher'], claims: { released_until: '2001-04-01T00:00:00' } },
    },
  });
}, 300_000);
afterAll(() => server?.close());

interface Run {
  readonly name: string;
  readonly as: 'vera' | 'noah';
  readonly purpose: string;
  /** Path of the document. */
  readonly document: string;
  /** Values that parameters of the document have, where one that is made up would meet nothing. */
  readonly parameters?: Readonly<Record<string, string>>;
}

/** Runs schemathesis on a document of the server. Its report, if it found something. */
async function findings({ name, as, purpose, document, parameters = {} }: Run): Promise<string | null> {
  const answer = await server.as(as, document, { headers: { 'ambit-purpose': purpose } });
  expect(answer.status).toBe(200);
  const folder = join(server.folder, name);
  mkdirSync(folder);
  writeFileSync(join(folder, 'openapi.json'), await answer.text());
  const config = [
    `base-url = ${JSON.stringify(server.url)}`,
    `hooks = ${JSON.stringify(join(root, 'tests/api/hooks.py'))}`,
    `seed = ${SEED}`,
    'continue-on-failure = true',
    '[headers]',
    `Authorization = ${JSON.stringify(`Bearer ${server.token(as)}`)}`,
    '[parameters]',
    ...Object.entries(parameters).map(
      ([parameter, value]) => `${JSON.stringify(parameter)} = ${JSON.stringify(value)}`,
    ),
    '[generation]',
    `max-examples = ${EXAMPLES}`,
    'database = "none"',
  ];
  writeFileSync(join(folder, 'schemathesis.toml'), `${config.join('\n')}\n`);
  const words = ['--config-file', 'schemathesis.toml', 'run', 'openapi.json', '--checks', 'all', '--no-color'];
  const { status, stdout, stderr } = await run(join(commands, 'schemathesis'), words, {
    cwd: folder,
    output: 'capture',
  });
  return status === 0 ? null : `${stdout}${stderr}`;
}

test('the API, asked for things that are mostly not there', async () => {
  const whole: Run = { name: 'whole', as: 'vera', purpose: 'safety-audit', document: '/v1/openapi.json' };
  expect(await findings(whole)).toBeNull();
}, 90_000);

test('the API, asked for a product, a query and a session that are there', async () => {
  const asked = await server.as('vera', '/v1/products/flights/query', {
    body: { sql: 'SELECT 1 AS one', purpose: 'safety-audit' },
  });
  const session = asked.headers.get('ambit-session') ?? '';
  await asked.text();
  const parameters = { product: 'flights', name: 'busiest-days', session, 'ambit-purpose': 'safety-audit' };
  const there: Run = { name: 'there', as: 'vera', purpose: 'safety-audit', document: '/v1/openapi.json', parameters };
  expect(await findings(there)).toBeNull();
}, 90_000);

test.each([
  ['vera', 'safety-audit'],
  ['noah', 'research'],
] as const)(
  'the API of a product as %s may see it for %s',
  async (as, purpose) => {
    const product: Run = { name: as, as, purpose, document: '/v1/products/flights/openapi.json' };
    expect(await findings(product)).toBeNull();
  },
  90_000,
);

test('what was pinned is what is run', async () => {
  const pinned = /^schemathesis==(\S+)/m.exec(readFileSync(join(root, 'tests/api/requirements.txt'), 'utf8'))?.[1];
  const { stdout } = await run(join(commands, 'schemathesis'), ['--version'], { output: 'capture' });
  expect(stdout).toContain(pinned);
});
