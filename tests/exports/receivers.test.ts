import { afterEach, expect, test } from 'vitest';
import { type Receiver, startReceiver, until } from './receiver.ts';
import { courseOf, eventsOf, sessionOf, startWorld, type World } from './world.ts';

const worlds: World[] = [];
const receivers: Receiver[] = [];
afterEach(async () => {
  await Promise.all(worlds.splice(0).map((world) => world.close()));
  await Promise.all(receivers.splice(0).map((receiver) => receiver.close()));
});

const started = async (exports: string): Promise<World> => {
  const world = await startWorld(exports);
  worlds.push(world);
  return world;
};

const all = ({ url }: Receiver): string =>
  `  openlineage: { url: "${url}/api/v1/lineage" }\n  otlp: { url: "${url}" }\n  prometheus: { port: 0 }\n`;

/** Several sessions, some at a time. Each is answered. */
async function crowd(world: World): Promise<void> {
  for (let at = 0; at < 60; at += 6) {
    const answers = await Promise.all([...Array(6).keys()].map(() => world.ask('SELECT id, name FROM emp')));
    for (const answer of answers) {
      expect(answer.status).toBe(200);
      await answer.text();
    }
  }
}

test('a receiver that hangs delays no session, and the server stops in bounded time', async () => {
  const to = await startReceiver('hangs');
  receivers.push(to);
  const hanging = await started(all(to));
  // It never answers: a session that waited for it would never end, or only when the export gives up, one after the other.
  await crowd(hanging);
  await until(() => to.came.length > 0);
  await crowd(hanging);
  expect(to.taken).toEqual([]);
  expect(await hanging.stop()).toBeLessThan(20_000);
});

test('a receiver that is not there keeps nothing from starting, and gets it all once it is', async () => {
  const gone = await startReceiver();
  const { port } = gone;
  await gone.close();
  const world = await started(`  openlineage: { url: "http://127.0.0.1:${port}/lineage" }\n`);
  const sessions: string[] = [];
  for (let at = 0; at < 10; at += 1) sessions.push(await sessionOf(await world.ask('SELECT id FROM emp')));
  await until(() => world.server.said().includes('it cannot be reached (ECONNREFUSED)'));
  const back = await startReceiver('takes', port);
  receivers.push(back);
  await until(() => sessions.every((session) => courseOf(eventsOf(back.taken), session).length === 2));
  await until(() => world.server.said().includes('the receiver takes events again'));
});

test('a receiver that says that it moved is not followed: the token is for nobody else', async () => {
  const elsewhere = await startReceiver();
  const to = await startReceiver({ movedTo: elsewhere.url });
  receivers.push(elsewhere, to);
  const world = await started(
    `  openlineage: { url: "${to.url}", headers: { authorization: { file: TOKEN_FILE } } }\n`,
  );
  await (await world.ask('SELECT id FROM emp')).text();
  await until(() => to.came.length > 1);
  expect(elsewhere.came).toEqual([]);
  await until(() => world.server.said().includes('it answers 307'));
});

test('telemetry that a receiver does not take is dropped and counted; lineage waits', async () => {
  const to = await startReceiver(400);
  receivers.push(to);
  const lineage = await startReceiver(503);
  receivers.push(lineage);
  const world = await started(
    `  openlineage: { url: "${lineage.url}/" }\n  otlp: { url: "${to.url}" }\n  prometheus: { port: 0 }\n`,
  );
  await sessionOf(await world.ask('SELECT id FROM emp'));
  const [, url = ''] = /metrics at (http:\S+)/.exec(world.server.said()) ?? [];
  const text = await until(async () => {
    const read = await (await fetch(url)).text();
    return /signal="traces",result="dropped"[^}]*\} [1-9]/.test(read) ? read : null;
  });
  expect(Number(/^ambit_openlineage_waiting(?:\{[^}]*\})? (\S+)/m.exec(text)?.[1])).toBeGreaterThan(1);
});

test.each([
  ['a receiver elsewhere, in clear', '  otlp: { url: "http://collector.example:4318" }\n', 'in clear'],
  [
    'a header whose file is not there',
    '  otlp: { url: "https://c.example", headers: { a: { file: none } } }\n',
    'cannot be read (ENOENT)',
  ],
  ['a password in a URL', '  openlineage: { url: "https://me:pass@c.example/" }\n', 'holds a credential'],
  ['lineage to nowhere', '  openlineage: {}\n', 'does not say where'],
  ['a header inline', '  otlp: { url: "https://c.example", headers: { a: inlined } }\n', 'expected a map'],
  ['metrics for other machines', '  prometheus: { host: 0.0.0.0, port: 0 }\n', 'cannot stand here'],
])('the server does not start with %s, and repeats no secret', async (_, exports, said) => {
  const failure = await startWorld(exports).then(
    () => '',
    (error: unknown) => String(error),
  );
  expect(failure).toContain(said);
  expect(failure).not.toMatch(/me:pass|inlined/);
});
