import { tableFromIPC } from '@uwdata/flechette';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { judge, startWorlds, type Worlds } from './oracles.ts';
import type { Reply } from './world.ts';

// C. What travels with the rows: an Arrow buffer or dictionary holds more than the rows that show it.

let worlds: Worlds;
beforeAll(async () => {
  worlds = await startWorlds({ wide: true });
});
afterAll(() => worlds.close());

const ARROW = 'application/vnd.apache.arrow.stream';

describe('buffers on the wire', () => {
  const batches = (reply: Reply): readonly number[] =>
    (tableFromIPC(reply.bytes).children[0]?.data ?? []).map(({ length }: { length: number }) => length);

  test.each([
    ['C7', 'a dictionary, few rows', 'SELECT kind FROM wide ORDER BY id LIMIT 5'],
    ['C7', 'a dictionary, all rows', 'SELECT kind FROM wide ORDER BY id'],
    [
      'C7',
      'a dictionary that was cast',
      "SELECT arrow_cast(arrow_cast(kind, 'Utf8'), 'Dictionary(Int32, Utf8)') AS k FROM wide ORDER BY id LIMIT 9",
    ],
    ['C7', 'values of a dictionary', 'SELECT DISTINCT kind FROM wide ORDER BY kind'],
    ['C8', 'views, few rows', 'SELECT text FROM wide ORDER BY text LIMIT 3'],
    ['C8', 'views, all rows', 'SELECT text FROM wide ORDER BY id'],
    ['C8', 'views in a struct', 'SELECT struct(text, kind) AS s FROM wide ORDER BY id LIMIT 50'],
    ['C8', 'views in a list', 'SELECT [text, kind] AS s FROM wide ORDER BY id LIMIT 50'],
    [
      'C8',
      'views in an aggregate',
      'SELECT kind, array_agg(text ORDER BY id) AS s FROM wide GROUP BY kind ORDER BY kind',
    ],
    ['C8', 'views under a CASE', 'SELECT CASE WHEN id % 2 = 0 THEN text END AS t FROM wide ORDER BY id LIMIT 50'],
    ['C8', 'views cut short', 'SELECT substr(text, 1, 3) AS t FROM wide ORDER BY id LIMIT 50'],
    ['C8', 'views of a window', 'SELECT lag(text) OVER (ORDER BY id) AS t FROM wide ORDER BY id LIMIT 50'],
  ])('%s %s: the same bytes in both worlds', async (_, __, sql) => {
    for (const accept of [ARROW, 'text/csv', 'application/x-ndjson', 'application/json']) {
      const ask = { sql, product: 'wide', accept };
      const [one, other] = await Promise.all([worlds.w.ask(ask), worlds.x.ask(ask)]);
      expect(one.status, one.text.slice(0, 300)).toBe(200);
      expect(Buffer.compare(one.bytes, other.bytes), accept).toBe(0);
    }
  });

  test.each([['emp'], ['emp_arrow'], ['emp_json'], ['emp_parts'], ['emp_team']])(
    'C8 every column of %s, in every format: the same bytes in both worlds',
    async (table) => {
      for (const accept of [ARROW, 'text/csv', 'application/x-ndjson', 'application/json']) {
        const ask = { sql: `SELECT * FROM ${table} ORDER BY id`, accept };
        const [one, other] = await Promise.all([worlds.w.ask(ask), worlds.x.ask(ask)]);
        expect(one.status).toBe(200);
        expect(Buffer.compare(one.bytes, other.bytes), accept).toBe(0);
      }
    },
  );

  test('C9 metadata of files and columns stays in them', async () => {
    await judge(
      worlds,
      { sql: 'SELECT DISTINCT arrow_metadata(name), arrow_metadata(attrs) FROM emp' },
      { rows: [[{}, {}]] },
    );
    const reply = await worlds.w.ask({ sql: 'SELECT * FROM emp ORDER BY id', accept: ARROW });
    const { schema } = tableFromIPC(reply.bytes);
    expect([schema.metadata, ...schema.fields.map(({ metadata }) => metadata)].filter((one) => one?.size)).toEqual([]);
  });

  test('C8 rows that come in no order are whole', async () => {
    const sizes = await Promise.all(
      [worlds.w, worlds.x].map(async (world) =>
        batches(await world.ask({ sql: 'SELECT id FROM wide', product: 'wide', accept: ARROW })),
      ),
    );
    for (const world of sizes) expect(world.reduce((sum, rows) => sum + rows, 0)).toBe(10_000);
  });
});
