import { afterAll, beforeAll, expect, it } from 'vitest';
import { HIDDEN } from './product.ts';
import { analyst, auditor, query, type Reply, startWorld, type World } from './support.ts';

let world: World;
let ada: string;
let session: string;
beforeAll(async () => {
  world = await startWorld();
  ada = await world.token(analyst);
  const { headers } = await world.ask({
    ...query('SELECT region, sum(amount) AS sold FROM orders GROUP BY region'),
    token: ada,
  });
  session = headers['ambit-session'] ?? '';
});
afterAll(() => world?.close());

const show = (token: string, id = session): Promise<Reply> => world.ask({ url: `/v1/sessions/${id}`, token });

it('a subject reads what its session saw and did', async () => {
  const reply = await show(ada);
  expect(reply.json()).toMatchObject({
    session,
    whole: false,
    intent: { product: 'shop', purpose: 'reporting', subject: { principal: 'ada' } },
    outcome: { status: 'completed', rows: 1, engine: { tables: { orders: { filters: ['own-region'] } } } },
  });
});

it('a subject reads which granted columns its answer came from, and not what the policy read', async () => {
  const { outcome } = (await show(ada)).json() as { outcome: { engine: { lineage: unknown } } };
  const region = { table: 'orders', column: 'region', masked: false };
  const amount = { table: 'orders', column: 'amount', masked: false };
  expect(outcome.engine.lineage).toEqual({
    columns: [
      { name: 'region', inputs: [{ ...region, how: ['identity'] }] },
      { name: 'sold', inputs: [{ ...amount, how: ['aggregation'] }] },
    ],
    dataset: [{ ...region, how: ['group_by'] }],
    widened: false,
  });
});

it('a subject reads nothing that lies inside the barriers, or that only the operator may know', async () => {
  const { body } = await show(ada);
  for (const word of ['innerPlans', 'pushedPredicates', 'physicalPlan', 'operators', '"batches"', 'ranges', HIDDEN])
    expect(body, word).not.toContain(word);
});

it('a subject reads no name of what it was denied', async () => {
  const { body } = await show(ada);
  for (const name of ['payroll', 'margin_code', 'owners', 'lead']) expect(body, name).not.toContain(name);
});

it('a subject reads nothing that tells the size of an object: hidden rows move it', async () => {
  const { evidence } = world;
  const found = await evidence.session(session);
  const engine = found?.outcome?.engine as unknown as { accesses: { object: string; size: number }[] };
  const { body } = await show(ada);
  const access = engine.accesses.find(({ object }) => object === 'orders.csv');
  expect(access?.size).toBeGreaterThan(0);
  expect(body).not.toMatch(new RegExp(`-${access?.size.toString(16)}"`));
});

it('who may read the evidence reads all of it', async () => {
  const otto = await world.token(auditor);
  const reply = await show(otto);
  expect(reply.json()).toMatchObject({ session, whole: true });
  for (const word of ['innerPlans', 'accesses', 'requests', 'payroll', 'own-region'])
    expect(reply.body).toContain(word);
});

it('to all others it is as a session that never was', async () => {
  const missing = `ses_${'0'.repeat(32)}`;
  const others = [
    await world.token({ ...analyst, principal: 'bob' }),
    await world.token({ ...analyst, tenant: 'south' }),
    await world.token({ ...analyst, kind: 'service' }),
    await world.token({ ...analyst, kind: 'agent', onBehalfOf: { tenant: 'north', principal: 'ada' } }),
    await world.token({ ...auditor, tenant: 'south' }),
  ];
  for (const token of others) {
    const [denied, never] = [await show(token), await show(token, missing)];
    expect(denied.status).toBe(404);
    expect(denied.body.replaceAll(session, missing)).toBe(never.body);
    const cancel = await world.ask({ url: `/v1/sessions/${session}`, method: 'DELETE', token });
    expect(cancel.status).toBe(404);
    const listed = await world.ask({ url: '/v1/sessions', token });
    expect(listed.body).not.toContain(session);
  }
});

it('a session of nobody in particular is shown to nobody', async () => {
  const asked = { sql: 'SELECT 1 AS one', purpose: 'browsing' };
  const { headers } = await world.ask({ url: '/v1/products/weather/query', payload: asked });
  expect((await world.ask({ url: `/v1/sessions/${headers['ambit-session']}` })).status).toBe(401);
  const forged = await world.token({ tenant: 'north', principal: 'anonymous' });
  expect((await show(forged, headers['ambit-session'])).status).toBe(404);
  expect((await world.ask({ url: '/v1/sessions', token: forged })).body).not.toContain(headers['ambit-session']);
});

it('lists the newest first', async () => {
  const token = await world.token({ ...analyst, principal: 'lena' });
  const ids: string[] = [];
  for (const sql of ['SELECT 1 AS one', 'SELECT nope FROM orders', 'SELECT 3 AS three']) {
    const reply = await world.ask({ ...query(sql), token });
    ids.unshift(reply.headers['ambit-session'] ?? String(reply.json()['session']));
  }
  const { sessions } = (await world.ask({ url: '/v1/sessions', token })).json() as {
    sessions: { session: string; status: string }[];
  };
  expect(sessions.map((one) => one.session)).toEqual(ids);
  expect(sessions.map((one) => one.status)).toEqual(['completed', 'refused', 'completed']);
});
