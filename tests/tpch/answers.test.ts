import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tables } from '../../tools/tpch.mjs';
import { root, type Server, startServer } from '../server.ts';

// The 22 queries through the whole path, beside the answers that TPC publishes for scale 1.

interface Published {
  readonly rows: number;
  readonly sha256: string;
  /** Values that were published otherwise: they differ in the last digit, see the example's README. */
  readonly publishedAs?: Readonly<Record<string, string>>;
}

const answers = JSON.parse(readFileSync(join(root, 'examples/tpch/answers.json'), 'utf8')) as Record<string, Published>;

let server: Server<'ana' | 'per'>;

beforeAll(async () => {
  const data = await tables(1);
  server = await startServer({
    paths: [join(root, 'examples/tpch')],
    environment: `stores: { lake: { root: ${data} } }\nengine: { workers: 1, threads: 2, memory: 3GiB, spill: 4GiB }\n`,
    subjects: {
      ana: { tenant: 'trade', roles: ['analyst'] },
      per: { tenant: 'trade', roles: ['partner'], claims: { until: '1995-01-01' } },
    },
  });
}, 600_000);

afterAll(() => server.close());

async function csv(name: 'ana' | 'per', path: string, body: object): Promise<readonly string[][]> {
  const purpose = name === 'ana' ? 'benchmark' : 'reporting';
  const answer = await server.as(name, path, { body, headers: { accept: 'text/csv', 'ambit-purpose': purpose } });
  const text = await answer.text();
  expect(answer.status, text).toBe(200);
  const [, ...lines] = text.trimEnd().split('\r\n');
  return lines.map(cells);
}

/** Values of a line of CSV, as they are compared. */
function cells(line: string): string[] {
  return [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, plain]) =>
    hundredths((quoted?.replaceAll('""', '"') ?? plain ?? '').trim()),
  );
}

/** A number with a fraction, rounded half up to two digits. */
function hundredths(text: string): string {
  const [, sign = '', whole = '', fraction = ''] = /^(-?)(\d+)\.(\d+)$/.exec(text) ?? [];
  if (fraction === '') return text;
  const digits = BigInt(whole + fraction.padEnd(3, '0').slice(0, 3));
  const rounded = String((digits + 5n) / 10n).padStart(3, '0');
  return `${sign}${rounded.slice(0, -2)}.${rounded.slice(-2)}`;
}

describe('the published answers', () => {
  it.each(Object.entries(answers))('%s', { timeout: 120_000 }, async (query, published) => {
    const rows = await csv('ana', `/v1/products/tpch/queries/${query}`, {});
    expect(rows).toHaveLength(published.rows);
    const lines = rows.map((row) => row.map((value) => published.publishedAs?.[value] ?? value).join('|'));
    expect(createHash('sha256').update(lines.join('\n')).digest('hex')).toBe(published.sha256);
  });

  it('are 22', () => {
    expect(Object.keys(answers)).toHaveLength(22);
  });
});

describe('a partner', () => {
  it('sees no order from his day on, and nobody’s address', { timeout: 120_000 }, async () => {
    const ask = (sql: string) => csv('per', '/v1/products/tpch/query', { sql });
    expect(await ask('SELECT max(o_orderdate) AS last, count(*) AS orders FROM orders')).toEqual([
      [
        '1994-12-31',
        (
          await csv('ana', '/v1/products/tpch/query', {
            sql: "SELECT count(*) AS n FROM orders WHERE o_orderdate < DATE '1995-01-01'",
          })
        )[0]?.[0],
      ],
    ]);
    expect(await ask('SELECT DISTINCT c_phone, c_address FROM customer')).toEqual([['***', '***']]);
    expect(await ask('SELECT count(*) AS n FROM customer WHERE c_acctbal % 100 <> 0')).toEqual([['0']]);
  });
});
