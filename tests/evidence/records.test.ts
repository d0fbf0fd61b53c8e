import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { root, type Server, startServer } from '../server.ts';

// What the log of a real server holds is what the published schema says, and nothing more.

const subjects = { ada: { tenant: 'mobility', roles: ['auditor'] } };
const valid = new Ajv({ strict: false }).compile(
  JSON.parse(readFileSync(join(root, 'schemas/evidence-record.schema.json'), 'utf8')) as object,
);

let server: Server<'ada'>;
beforeAll(async () => {
  const environment = `stores: { lake: { root: ${join(root, 'node_modules/vega-datasets/data')} } }\n`;
  server = await startServer({ paths: [join(root, 'examples/flights/flights.yaml')], environment, subjects });
}, 60_000);
afterAll(() => server.close());

const ask = async (sql: string, purpose = 'safety-audit'): Promise<string> => {
  const answer = await server.as('ada', '/v1/products/flights/query', { body: { sql, purpose } });
  await answer.text();
  return answer.headers.get('ambit-session') ?? '';
};

function records(): readonly (Record<string, unknown> & { readonly type: string })[] {
  const folder = join(server.folder, '.ambit/evidence');
  const segments = readdirSync(folder).filter((name) => name.endsWith('.segment'));
  return segments.flatMap((name) =>
    readFileSync(join(folder, name), 'utf8')
      .split('\n')
      .slice(1, -1)
      .map((line) => JSON.parse(line.slice(65)) as Record<string, unknown> & { readonly type: string }),
  );
}

test('every record is of the schema', async () => {
  const session = await ask('SELECT count(*) AS n FROM airports');
  await ask('SELECT nobody FROM airports');
  await ask('SELECT 1 / (count(*) - count(*)) AS n FROM airports');
  await ask('SELECT 1', 'nothing');
  await (await server.as('ada', `/v1/sessions/${session}/replay`, { method: 'POST' })).text();
  server = await server.restart();
  await server.stop();
  const found = records();
  for (const record of found) expect(valid(record), `${record.type}: ${JSON.stringify(valid.errors)}`).toBe(true);
  const types = new Set(found.map(({ type }) => type));
  for (const type of ['log.opened', 'log.closed', 'boundary.loaded', 'grant.issued', 'request.refused']) {
    expect(types).toContain(type);
  }
  const statuses = found.flatMap(({ status }) => (status === undefined ? [] : [status]));
  for (const status of ['completed', 'refused', 'failed']) expect(statuses).toContain(status);
  expect(found.some(({ replay }) => replay !== undefined)).toBe(true);
});

test('a record with a member more, or one less, is not', () => {
  for (const record of records()) {
    expect(valid({ ...record, more: 1 }), record.type).toBe(false);
    for (const name of Object.keys(record)) {
      const { [name]: _, ...less } = record;
      if (name !== 'clockMicros' && name !== 'replay')
        expect(valid(less), `${record.type} without ${name}`).toBe(false);
    }
  }
});
