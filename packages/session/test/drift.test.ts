import type { Boundary } from '@ambit/contract';
import type { Drift, Engine } from '@ambit/engine';
import type { EvidenceLog } from '@ambit/evidence';
import type { Standing } from '@ambit/review';
import { expect, it } from 'vitest';
import { DriftWatch, type Product } from '../src/index.ts';

// What a watch of the data does while the evidence cannot be written, and before owners approved anything.

const vanished: Drift = { kind: 'vanished', column: 'id', declared: 'Int64', found: null, object: 'orders.csv' };

function watching() {
  const state = { drift: [vanished] as Drift[], away: false, records: [] as object[], said: [] as string[], looked: 0 };
  const engine = {
    inspect: async () => {
      state.looked += 1;
      return { sources: { orders: { drift: state.drift, files: 1, filesTotal: 1, accesses: [] } } };
    },
  } as unknown as Engine;
  const append = async (record: object): Promise<void> => {
    if (state.away) throw new Error('the disk is full');
    state.records.push(record);
  };
  const watch = new DriftWatch(
    () => engine,
    { append } as unknown as EvidenceLog,
    (message) => void state.said.push(message),
  );
  return { state, watch };
}

function product(fingerprint: string, more: Partial<Product> = {}): Product {
  const boundary = {
    product: { name: 'shop', version: '1.0.0' },
    environment: 'test',
    stores: {},
    catalogs: {},
    tables: { orders: { catalog: 'csv', path: 'orders.csv', format: { type: 'csv' }, columns: [] } },
  } as unknown as Boundary;
  return { boundary, fingerprint, roots: {}, ...more } as Product;
}

it('closes a table at once, and records that as soon as it can', async () => {
  const { state, watch } = watching();
  const shop = product('one');
  state.away = true;
  await watch.check([shop]);
  expect([...watch.closed(shop)]).toEqual(['orders']);
  expect(state.said).toEqual([
    'table orders of shop is closed: column `id` is not in orders.csv any more',
    'that table orders of shop changed is not in the evidence yet: the disk is full',
  ]);
  state.away = false;
  await watch.check([shop]);
  await watch.check([shop]);
  expect(state.records).toMatchObject([{ type: 'source.drifted', state: 'closed', drift: [vanished] }]);
  state.drift = [];
  await watch.check([shop]);
  expect(state.records.slice(1)).toMatchObject([{ state: 'open', drift: [] }]);
});

it('does not look at data of a boundary that nobody approved, until somebody does', async () => {
  const { state, watch } = watching();
  let kind = 'refused';
  const shop = product('one', { standing: () => ({ kind }) as unknown as Standing });
  await watch.check([shop]);
  expect(state.looked).toBe(0);
  kind = 'approved';
  await watch.check([shop]);
  expect([...watch.closed(shop)]).toEqual(['orders']);
});

it('forgets what is not served any more', async () => {
  const { state, watch } = watching();
  const [before, after] = [product('one'), product('two')];
  await watch.check([before]);
  state.drift = [];
  await watch.check([after]);
  expect([...watch.closed(before), ...watch.closed(after)]).toEqual([]);
});
