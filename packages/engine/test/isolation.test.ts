import { existsSync, readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { type Engine, EngineUnavailable, type RunningSession } from '../src/index.ts';
import { closeEngines, engineWith, firstData, gone, long, open, pids, runs, short, take, until } from './support.ts';

afterAll(closeEngines);

/** A session that stays until it is cancelled. */
async function staying(engine: Engine, tenant = 'a'): Promise<RunningSession> {
  const session = await open(engine, { sql: long, tenant });
  await firstData(session);
  return session;
}

async function leave(...sessions: readonly RunningSession[]): Promise<void> {
  await Promise.all(sessions.map((session) => session.events.return()));
}

describe('shared workers', () => {
  it('share the sessions evenly', async () => {
    const engine = await engineWith({ workers: 2 });
    const sessions = [];
    for (let count = 0; count < 6; count += 1) sessions.push(await staying(engine));
    const counts = (await engine.health()).map((worker) => worker.sessions);
    await leave(...sessions);
    expect(counts).toEqual([3, 3]);
  });

  it('forget the sessions that were opened and never pulled', async () => {
    const engine = await engineWith({ workers: 2 });
    const unread = [];
    for (let count = 0; count < 3; count += 1) unread.push(await open(engine));
    await leave(...unread);
    const workers = new Set<number>();
    const sessions = [];
    for (let count = 0; count < 2; count += 1) {
      const session = await staying(engine);
      workers.add(session.worker);
      sessions.push(session);
    }
    await leave(...sessions);
    expect(workers.size).toBe(2);
  });

  it('are replaced when they are killed, and are never lent dead', async () => {
    const engine = await engineWith({ workers: 2 });
    for (let round = 0; round < 5; round += 1) {
      const [victim] = await pids(engine);
      process.kill(victim as number, 'SIGKILL');
      await gone(victim as number);
      await until(async () => (await pids(engine)).length === 2);
      expect(await pids(engine)).not.toContain(victim);
      expect((await take(await open(engine))).kinds).toEqual(['planned', 'data', 'outcome']);
    }
  });

  it('are not lent between being killed and being gone', async () => {
    const engine = await engineWith();
    const victim = await staying(engine);
    // Stopped, it cannot end the session: the grace passes, and it is killed.
    process.kill(victim.worker, 'SIGSTOP');
    victim.cancel();
    const kinds = (await take(victim)).kinds;
    expect(kinds.at(-1)).toBe('crashed');
    const next = await open(engine);
    expect(next.worker).not.toBe(victim.worker);
    expect((await take(next)).kinds).toEqual(['planned', 'data', 'outcome']);
  });

  it('that die again and again are started ever more slowly', async () => {
    const said: string[] = [];
    const engine = await engineWith({ log: ({ message }) => said.push(message) });
    const killedAt: number[] = [];
    for (let round = 0; round < 7; round += 1) {
      await until(async () => (await pids(engine)).length === 1);
      killedAt.push(performance.now());
      process.kill((await pids(engine))[0] as number, 'SIGKILL');
      await until(async () => (await pids(engine)).length === 0);
    }
    const pauses = killedAt.slice(1).map((at, index) => at - (killedAt[index] ?? 0));
    // 10 ms, then twice as long each time: starting one takes less than the last of these.
    expect(pauses.at(-1)).toBeGreaterThan(160);
    expect(said).toEqual([]);
  });
});

describe('a worker for each tenant', () => {
  it('is that tenant’s alone, and the same for all its sessions', async () => {
    const engine = await engineWith({ isolation: 'tenant', workers: 3 });
    const sessions = await Promise.all(['a', 'b', 'a', 'b', 'a'].map((tenant) => staying(engine, tenant)));
    const workers = sessions.map(({ worker }) => worker);
    await leave(...sessions);
    expect(workers[2]).toBe(workers[0]);
    expect(workers[4]).toBe(workers[0]);
    expect(workers[3]).toBe(workers[1]);
    expect(workers[1]).not.toBe(workers[0]);
  });

  it('is refused when other tenants have them all, and had when one of them is idle', async () => {
    const engine = await engineWith({ isolation: 'tenant', workers: 2 });
    const sessions = [await staying(engine, 'a'), await staying(engine, 'b')] as const;
    await expect(open(engine, { tenant: 'c' })).rejects.toThrow(EngineUnavailable);
    await leave(sessions[0]);
    const third = await staying(engine, 'c');
    await until(() => !runs(sessions[0].worker));
    await leave(sessions[1], third);
    expect(third.worker).not.toBe(sessions[1].worker);
  });

  it('is not lent after it was killed', async () => {
    const engine = await engineWith({ isolation: 'tenant', workers: 2 });
    const first = await open(engine);
    await take(first);
    process.kill(first.worker, 'SIGKILL');
    await gone(first.worker);
    expect((await take(await open(engine))).kinds).toContain('outcome');
  });

  it('is not needed for the engine to be ready', async () => {
    const engine = await engineWith({ isolation: 'tenant' });
    expect(await pids(engine)).toEqual([]);
    expect(await engine.ready()).toBe(true);
  });
});

describe('a worker for each session', () => {
  it('serves once', async () => {
    const engine = await engineWith({ isolation: 'session', workers: 3 });
    const seen = new Set<number>();
    for (let count = 0; count < 6; count += 1) {
      const session = await open(engine);
      seen.add(session.worker);
      expect((await take(session)).kinds).toContain('outcome');
    }
    expect(seen.size).toBe(6);
    await until(() => ![...seen].some(runs));
  });

  it('is refused when all are busy, and had again when one is free', async () => {
    const engine = await engineWith({ isolation: 'session', workers: 3 });
    // The template is asked for first: that takes a worker too.
    const sessions = [await staying(engine), await staying(engine), await staying(engine)] as const;
    await expect(open(engine)).rejects.toThrow('all workers are busy');
    await leave(sessions[0]);
    const next = await staying(engine);
    await leave(sessions[1], sessions[2], next);
    expect(next.worker).not.toBe(sessions[0].worker);
  });

  it('leaves when its session was never pulled', async () => {
    const engine = await engineWith({ isolation: 'session', workers: 3 });
    const unread = await open(engine);
    await leave(unread);
    await until(() => !runs(unread.worker));
    expect((await take(await open(engine))).kinds).toContain('outcome');
  });

  it('that died while it waited is never lent, and is replaced', async () => {
    const engine = await engineWith({ isolation: 'session', workers: 3 });
    await take(await open(engine));
    for (let round = 0; round < 3; round += 1) {
      await until(async () => (await pids(engine)).length >= 2);
      const spares = await pids(engine);
      for (const spare of spares) process.kill(spare, 'SIGKILL');
      await Promise.all(spares.map(gone));
      const session = await open(engine);
      expect(spares).not.toContain(session.worker);
      expect((await take(session)).kinds).toEqual(['planned', 'data', 'outcome']);
    }
  });
});

describe('workers', () => {
  it('get nothing of the environment', async () => {
    process.env['AMBIT_TEST_SECRET'] = 'SECRET-environment';
    const engine = await engineWith();
    const [pid] = await pids(engine);
    const environment = `/proc/${pid}/environ`;
    // The kernel hides it from whoever may not trace the process: what can be read is empty.
    const text = existsSync(environment) ? readable(environment) : '';
    expect(text).toBe('');
  });

  it('that do not start are said to, at once', async () => {
    await expect(engineWith({ binary: '/bin/true' })).rejects.toThrow('a worker did not start');
    await expect(engineWith({ binary: '/bin/echo', isolation: 'session' })).rejects.toThrow('a worker did not start');
    await expect(engineWith({ binary: '/nowhere/at/all' })).rejects.toThrow('a worker did not start');
  });

  it('all end when the engine is closed, even while it starts others', async () => {
    for (const isolation of ['shared', 'session'] as const) {
      const engine = await engineWith({ isolation, workers: 2 });
      const session = await staying(engine);
      const running = await pids(engine);
      await engine.close();
      expect(running.filter(runs)).toEqual([]);
      expect((await take(session)).kinds.at(-1)).toBe('crashed');
      await expect(open(engine, { sql: short })).rejects.toThrow(EngineUnavailable);
    }
  });

  it('that are stopped are killed when the engine is closed', { timeout: 15_000 }, async () => {
    const engine = await engineWith();
    const [pid] = await pids(engine);
    process.kill(pid as number, 'SIGSTOP');
    expect(await engine.health()).toEqual([]);
    expect(await engine.ready()).toBe(false);
    await engine.close();
    expect(runs(pid as number)).toBe(false);
  });
});

function readable(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

describe.each(['shared', 'tenant', 'session'] as const)('workers that are renewed (%s)', (isolation) => {
  it('keep the sessions that run, get no other, and end with them', async () => {
    const engine = await engineWith({ isolation, workers: 3 });
    const running = await staying(engine);
    const before = await pids(engine);
    await engine.renew();
    const next = await open(engine);
    expect(before).not.toContain(next.worker);
    expect((await take(next)).kinds).toEqual(['planned', 'data', 'outcome']);
    // It can still be read.
    await firstData(running);
    expect(runs(running.worker)).toBe(true);
    await leave(running);
    if (isolation !== 'tenant') await Promise.all(before.map(gone));
    expect((await take(await open(engine))).kinds).toEqual(['planned', 'data', 'outcome']);
  });
});
