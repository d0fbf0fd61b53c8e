import { afterEach, expect, test } from 'vitest';
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runId } from '@ambit/export';
import { type Receiver, startReceiver, until } from './receiver.ts';
import { type Event, problemsOf } from './schemas.ts';
import {
  courseOf,
  ENDLESS,
  eventsOf,
  expectNothing,
  expectNothingIn,
  LITERAL,
  sessionOf,
  startWorld,
  TOKEN,
  type World,
} from './world.ts';

let world: World | null = null;
let receiver: Receiver | null = null;
afterEach(async () => {
  await world?.close();
  if (receiver !== null) expectNothingIn(receiver);
  await receiver?.close();
  world = null;
  receiver = null;
});

const lineage = ({ url }: Receiver): string =>
  `  openlineage: { url: "${url}/api/v1/lineage", headers: { authorization: { file: TOKEN_FILE } } }\n`;

const finished = (events: readonly Event[], session: string): boolean => courseOf(events, session).length === 2;

test('a session of each end is a run of valid events, with the token and without what is hidden', async () => {
  receiver = await startReceiver();
  const to = receiver;
  world = await startWorld(lineage(to));
  const completed = await sessionOf(
    await world.ask(
      `SELECT e.name, count(*) AS n, '${LITERAL}' || e.name FROM emp e JOIN teams t ON e.id = t.id WHERE e.name <> '${LITERAL}' GROUP BY e.name`,
    ),
  );
  const failed = await sessionOf(await world.ask(`SELECT 1 / (id - 1), '${LITERAL}' FROM emp`));
  const refused = await sessionOf(await world.ask(`SELECT id FROM emp WHERE '${LITERAL}' ORDER BYE '${LITERAL}'`));
  const unknown = await sessionOf(await world.ask(`SELECT "${LITERAL}" FROM emp`));
  const named = await sessionOf(
    await world.server.as('ann', `/v1/products/people/queries/by-name?name=${LITERAL}`, {
      headers: { 'ambit-purpose': 'analytics' },
    }),
  );
  const ends = { completed: 'COMPLETE', failed: 'FAIL', refused: 'FAIL', unknown: 'FAIL', named: 'COMPLETE' };
  const sessions = { completed, failed, refused, unknown, named };
  for (const session of Object.values(sessions)) await until(() => finished(eventsOf(to.taken), session));
  const events = eventsOf(to.taken);
  expect(events.flatMap(problemsOf)).toEqual([]);
  for (const [name, end] of Object.entries(ends)) {
    expect(courseOf(events, sessions[name as keyof typeof sessions]), name).toEqual(['START', end]);
  }
  expect(new Set(to.came.map(({ headers }) => headers.authorization))).toEqual(new Set([TOKEN]));
  expect(new Set(to.came.map(({ path }) => path))).toEqual(new Set(['/api/v1/lineage']));
  const [, end] = events.filter(({ run }) => run.runId === runId(completed));
  expect(end?.job.namespace).toBe('ambit://test/people');
  expect(end?.inputs.map(({ name, facets }) => [name, facets['schema']?.['fields']])).toEqual([
    [
      'emp',
      [
        { name: 'id', type: 'bigint' },
        { name: 'name', type: 'string' },
      ],
    ],
    ['teams', [{ name: 'id', type: 'bigint' }]],
  ]);
  expect(end?.outputs[0]?.facets['schema']?.['fields']).toEqual([
    { name: 'name', type: 'string' },
    { name: 'n', type: 'bigint' },
    { name: 'column_3', type: 'string' },
  ]);
  expect(end?.outputs[0]?.outputFacets?.['outputStatistics']).toMatchObject({ rowCount: 2 });
  expect(end?.run.facets['ambit_session']).toMatchObject({ tenant: 'a', principal: 'ann', purpose: 'analytics' });
  expect(end?.run.facets['processing_engine']).toMatchObject({ name: 'datafusion' });
  expect(events.find(({ run }) => run.runId === runId(named))?.job.name).toBe('query/by-name');
  expect(
    events.find((event) => event.run.runId === runId(failed) && event.eventType === 'FAIL')?.run.facets,
  ).toMatchObject({
    errorMessage: { message: expect.stringContaining('compute_failed') },
  });
});

test('cancelled, crashed and orphaned sessions have their end too', async () => {
  receiver = await startReceiver();
  const to = receiver;
  world = await startWorld(lineage(to));
  const began = async (nth: number): Promise<string> =>
    until(() => {
      const starts = eventsOf(to.taken).filter(({ eventType }) => eventType === 'START');
      return starts[nth]?.run.facets['ambit_session']?.['session'] as string | undefined;
    });
  const gone = new AbortController();
  const cancelling = world.ask(ENDLESS, {}, gone.signal).catch(() => null);
  const cancelled = await began(0);
  gone.abort();
  await cancelling;
  await until(() => finished(eventsOf(to.taken), cancelled));
  const crashing = world.ask(ENDLESS).catch(() => null);
  const crashed = await began(1);
  for (const pid of world.server.workers()) process.kill(pid, 'SIGKILL');
  await crashing;
  await until(() => finished(eventsOf(to.taken), crashed));
  const orphaning = world.ask(ENDLESS).catch(() => null);
  const orphaned = await began(2);
  await world.restart();
  await orphaning;
  await until(() => courseOf(eventsOf(to.taken), orphaned).includes('ABORT'));
  const events = eventsOf(to.taken);
  expect(events.flatMap(problemsOf)).toEqual([]);
  expect(courseOf(events, cancelled).slice(-1)).toEqual(['ABORT']);
  expect(courseOf(events, crashed).slice(-1)).toEqual(['FAIL']);
});

test('a receiver that was down gets all of it, over a kill, each run in its order', async () => {
  receiver = await startReceiver(503);
  const to = receiver;
  world = await startWorld(lineage(to));
  const sessions: string[] = [];
  for (let at = 0; at < 30; at += 1) sessions.push(await sessionOf(await world.ask(`SELECT ${at} AS n FROM emp`)));
  await until(() => to.came.length > 1);
  await world.restart();
  for (let at = 0; at < 30; at += 1) sessions.push(await sessionOf(await world.ask(`SELECT ${at} AS n FROM emp`)));
  expect(to.taken).toEqual([]);
  to.mood = 'takes';
  await until(() => sessions.every((session) => courseOf(eventsOf(to.taken), session).includes('COMPLETE')));
  for (const session of sessions) {
    const course = courseOf(eventsOf(to.taken), session);
    expect(course[0]).toBe('START');
    expect(course.at(-1)).toBe('COMPLETE');
  }
  // What came was taken once more after a kill at most, never otherwise.
  expect(to.taken.length).toBe(120);
});

test('killed at any moment, nothing is left out, and what comes twice is the same run', async () => {
  receiver = await startReceiver();
  const to = receiver;
  world = await startWorld(lineage(to));
  const sessions: string[] = [];
  for (let round = 0; round < 3; round += 1) {
    const running = world;
    sessions.push(
      ...(await Promise.all([...Array(8).keys()].map(async () => sessionOf(await running.ask('SELECT id FROM emp'))))),
    );
    await world.restart();
  }
  await until(() => sessions.every((session) => courseOf(eventsOf(to.taken), session).includes('COMPLETE')));
  const ids = new Map(eventsOf(to.taken).map(({ run }) => [run.facets['ambit_session']?.['session'], run.runId]));
  for (const session of sessions) expect(ids.get(session)).toBe(runId(session));
});

test('an event that the receiver rejects holds nothing back', async () => {
  receiver = await startReceiver(422);
  const to = receiver;
  world = await startWorld(lineage(to));
  await sessionOf(await world.ask('SELECT 1 AS a'));
  await until(() => to.came.length === 2);
  to.mood = 'takes';
  const session = await sessionOf(await world.ask('SELECT 2 AS a'));
  await until(() => finished(eventsOf(to.taken), session));
  expect(world.server.said()).toMatch(/rejects the event of record \d+: it answers 422/);
});

test('events go to a file as well, and a line that was torn is cut off', async () => {
  world = await startWorld('  openlineage: { file: lineage.ndjson }\n');
  const file = join(world.server.folder, 'lineage.ndjson');
  // What has no end is no line yet.
  const lines = (): readonly Event[] =>
    readFileSync(file, 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Event);
  const session = await sessionOf(await world.ask(`SELECT name FROM emp WHERE name <> '${LITERAL}'`));
  await until(() => finished(lines(), session));
  expect(lines().flatMap(problemsOf)).toEqual([]);
  appendFileSync(file, '{"half":');
  await world.restart();
  const next = await sessionOf(await world.ask('SELECT name FROM emp'));
  await until(() => finished(lines(), next));
  expectNothing(readFileSync(file, 'utf8'));
});
