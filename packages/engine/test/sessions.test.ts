import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Engine, EngineProtocolError } from '../src/index.ts';
import { limits } from '../src/limits.ts';
import {
  closeEngines,
  engineWith,
  firstData,
  long,
  open,
  pids,
  runs,
  sessionOf,
  take,
  templateOf,
  until,
} from './support.ts';

let engine: Engine;

beforeAll(async () => {
  engine = await engineWith();
});
afterAll(closeEngines);

describe('a session', () => {
  it('tells its plan, its rows and its outcome', async () => {
    const taken = await take(await open(engine));
    expect(taken.kinds).toEqual(['planned', 'data', 'outcome']);
    expect(taken.text).toBe('n\r\n0\r\n1\r\n2\r\n');
    expect(taken.outcome).toMatchObject({
      status: 'completed',
      rows: 3,
      residue: { memoryBytes: 0, spillBytes: 0, tasks: 0 },
    });
  });

  it('that is refused has an outcome alone', async () => {
    const taken = await take(await open(engine, { sql: 'SELECT n FROM nobody' }));
    expect(taken.kinds).toEqual(['outcome']);
    expect(taken.outcome).toMatchObject({ status: 'refused', error: { code: 'table_unknown' } });
  });

  it('runs no further than its consumer takes', async () => {
    const session = await open(engine, { sql: long });
    await firstData(session);
    const running = async (): Promise<number> => (await engine.health())[0]?.sessions ?? 0;
    expect(await running()).toBe(1);
    await session.events.return();
    await until(async () => (await running()) === 0);
  });

  it('ends with its reason when it is cancelled: before it is pulled, at once, and in the middle', async () => {
    const before = await open(engine, { sql: long });
    before.cancel();
    expect((await take(before)).outcome?.status).toBe('cancelled');

    const atOnce = await open(engine, { sql: long });
    const first = atOnce.events.next();
    atOnce.cancel();
    const event = (await first).value;
    const outcome = event?.kind === 'outcome' ? event.outcome : (await take(atOnce)).outcome;
    expect(outcome?.status).toBe('cancelled');

    const middle = await open(engine, { sql: long });
    await firstData(middle);
    middle.cancel();
    expect((await take(middle)).outcome?.status).toBe('cancelled');
  });

  it('that has ended cannot be cancelled, nor does anything happen to its worker', async () => {
    const session = await open(engine);
    await take(session);
    session.cancel();
    await sleep(limits.cancelGraceMs + 200);
    expect(await pids(engine)).toEqual([session.worker]);
  });

  it('is refused by the worker as such when there is one of its name', async () => {
    const template = await templateOf(engine);
    const asking = sessionOf({ sql: long });
    const one = await engine.open(template, asking);
    await firstData(one);
    const other = await engine.open(template, asking);
    await expect(other.events.next()).rejects.toThrow(EngineProtocolError);
    await one.events.return();
  });
});

describe('a consumer that stalls', () => {
  it('costs nobody else anything: its session ends at its deadline, its worker stays', {
    timeout: 20_000,
  }, async () => {
    const own = await engineWith();
    const stalled = await open(own, { sql: long, deadlineMs: 300 });
    await firstData(stalled);
    const neighbour = await open(own, { sql: long });
    await firstData(neighbour);
    // Twice as long as any grace.
    await sleep(300 + 2 * (limits.deadlineGraceMs + limits.cancelGraceMs));
    expect(await pids(own)).toEqual([stalled.worker]);
    expect((await own.health())[0]?.sessions).toBe(1);
    const taken = await take(stalled);
    expect(taken.outcome).toMatchObject({ status: 'failed', error: { code: 'limit_time' } });
    neighbour.cancel();
    expect((await take(neighbour)).outcome?.status).toBe('cancelled');
  });

  it('costs nobody else anything when it is cancelled', { timeout: 20_000 }, async () => {
    const own = await engineWith();
    const stalled = await open(own, { sql: long });
    await firstData(stalled);
    stalled.cancel();
    await sleep(3 * limits.cancelGraceMs);
    expect(await pids(own)).toEqual([stalled.worker]);
    expect((await take(stalled)).outcome?.status).toBe('cancelled');
  });
});

describe('a session that nobody pulls', () => {
  it('costs its neighbours nothing when it is cancelled', { timeout: 20_000 }, async () => {
    const own = await engineWith();
    const neighbour = await open(own, { sql: long });
    await firstData(neighbour);
    const left = await open(own);
    left.cancel();
    await left.events.return();
    const late = await open(own);
    late.cancel();
    await sleep(2 * limits.cancelGraceMs);
    expect(await pids(own)).toEqual([neighbour.worker]);
    expect((await take(late)).outcome?.status).toBe('cancelled');
    await neighbour.events.return();
  });
});

describe('many sessions on one worker', () => {
  it('can each be cancelled, however many there are', { timeout: 60_000 }, async () => {
    const own = await engineWith({ memoryBytes: 4 * 2 ** 30 });
    const sessions = [];
    for (let count = 0; count < 300; count += 1) {
      // A million rows: enough to wait for their consumer.
      const session = await open(own, { sql: 'SELECT a.n FROM numbers a CROSS JOIN numbers b' });
      await firstData(session);
      sessions.push(session);
    }
    const [first] = sessions;
    first?.cancel();
    // With 300 connections in use a cancel that waited for one would wait for ever.
    expect(first && (await take(first)).outcome?.status).toBe('cancelled');
    expect(await pids(own)).toHaveLength(1);
    await Promise.all(sessions.slice(1).map((session) => session.events.return()));
  });
});

describe('a worker that dies', () => {
  it('leaves `crashed` to each of its sessions, and the next session works', async () => {
    const own = await engineWith();
    const sessions = [await open(own, { sql: long }), await open(own, { sql: long })];
    for (const session of sessions) await firstData(session);
    process.kill(sessions[0]?.worker as number, 'SIGKILL');
    for (const session of sessions) expect((await take(session)).kinds.at(-1)).toBe('crashed');
    expect((await take(await open(own))).outcome?.status).toBe('completed');
  });
});

describe('a template', () => {
  it('is put once, and again when the worker has forgotten it', async () => {
    const own = await engineWith();
    const templates = (): Promise<number> => own.health().then(([worker]) => worker?.templates ?? 0);
    const first = await templateOf(own, 'first');
    for (let count = 0; count < 3; count += 1) await take(await own.open(first, sessionOf({})));
    expect(await templates()).toBe(1);
    // The oldest goes when there are a thousand.
    for (let count = 0; count < limits.templatesMax; count += 1) {
      await take(await own.open({ ...first, boundary: `sha256:${count}` }, sessionOf({ sql: 'SELECT 1' })));
    }
    expect((await take(await own.open(first, sessionOf({})))).outcome?.status).toBe('completed');
    expect(await templates()).toBe(limits.templatesMax);
  });
});

describe('the control plane', () => {
  it('takes its workers with it when it is killed', async () => {
    const program = fileURLToPath(new URL('engine-process.mjs', import.meta.url));
    const child = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    const workers = JSON.parse(line) as readonly number[];
    expect(workers).toHaveLength(2);
    expect(workers.every(runs)).toBe(true);
    child.kill('SIGKILL');
    await until(() => !workers.some(runs));
  });
});
