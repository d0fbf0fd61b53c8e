import { afterAll, beforeAll, expect, it } from 'vitest';
import { analyst, auditor, query, startWorld, send, transfer, sessionsOf, eventually, type World } from './support.ts';
import { SLOW, SLOW_END } from './product.ts';
import { setTimeout as sleep } from 'node:timers/promises';
let world: World;
let ada: string;
beforeAll(async () => {
  world = await startWorld();
  ada = await world.token(analyst);
});
afterAll(() => world?.close());
it('x', async () => {
  for (const sql of ['SELECT * FROM orders', 'SELECT i, value FROM readings', 'SELECT 1/0']) {
    const t = Date.now();
    const r = await world
      .ask({ ...query(sql), token: ada })
      .catch((e) => ({ status: String(e.cause), headers: {}, body: '' }));
    console.log(Date.now() - t, r.status, r.headers, r.body.slice(0, 600));
  }
  for (const f of ['application/json', 'application/x-ndjson', 'text/csv', 'application/vnd.apache.arrow.stream']) {
    const t = await transfer(world, ada, 'SELECT i, value FROM readings', f);
    console.log(t.status, t.complete, t.bytes.length, t.bytes.subarray(-200).toString());
  }
  const s = (await sessionsOf(world, 'ada'))[2];
  console.log(JSON.stringify(s?.outcome, null, 1).slice(0, 3000));
  const r = await world.ask({ url: `/v1/sessions/${s?.intent.session}`, token: ada });
  console.log(r.body);
});
it('leave', async () => {
  let go = () => {};
  const gone = send(world.server.url, ada, SLOW, 'text/csv', (leave) => {
    go = leave;
  }).catch(() => 0);
  await sleep(1000);
  let l = await sessionsOf(world, 'ada');
  console.log(l[0]?.intent.statement.sql, l[0]?.outcome);
  go();
  await gone;
  const t = Date.now();
  const o = await eventually(async () => (await sessionsOf(world, 'ada'))[0]?.outcome, 40000);
  console.log('left before first', Date.now() - t, o.status, o.error);
});
it('leave2', async () => {
  const r = await send(world.server.url, ada, SLOW_END);
  await new Promise((d) => r.once('data', d));
  r.destroy();
  const t = Date.now();
  const o = await eventually(async () => (await sessionsOf(world, 'ada'))[0]?.outcome, 40000);
  console.log('left midway', Date.now() - t, o.status, o.error);
});
