import type { Server } from '@ambit/server';
import type { BoundEnvironment } from '@ambit/session';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import type { Fleet } from '../src/fleet.ts';
import { limits } from '../src/limits.ts';
import { type Loaded, Reloader, type Reloading } from '../src/reload.ts';

// Files that are right, at a moment when they cannot be served.

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function reloading() {
  const state = { away: true, version: 1, applied: [] as number[], said: '' };
  const loaded = (): Loaded =>
    ({
      environment: { value: { name: 'test', limits: { rows: state.version } }, folder: '/', files: [] },
      products: [],
      evidence: { file: 'evidence.yaml', fingerprint: 'evidence', roots: {} },
    }) as unknown as Loaded;
  const engine = { close: async () => {} };
  const served = { refused: null as object | null };
  const reloader = new Reloader({
    terminal: { cwd: '/', err: { write: (text: string) => void (state.said += text) } },
    loaded: loaded(),
    load: async () => loaded(),
    fleet: { engine, for: async () => engine, take: () => {} } as unknown as Fleet,
    workersFor: () => ({}),
    issuersOf: () => [],
    offered: () => [],
    server: { served, prepare: async () => () => Promise.resolve() } as unknown as Server,
    log: {
      append: async () => {
        if (state.away) throw new Error('the evidence cannot be written');
      },
    },
    applied: ({ environment: { value } }: { environment: BoundEnvironment }) =>
      void state.applied.push(value.limits?.rows ?? 0),
  } as unknown as Reloading);
  return { state, served, reloader };
}

it('serves them when it can, though no file changes any more', async () => {
  const { state, served, reloader } = reloading();
  state.version = 2;
  await reloader.reload('files');
  expect(served.refused).toMatchObject({ problems: 1 });
  await vi.advanceTimersByTimeAsync(limits.reloadAgainMs * 2);
  expect(state.applied).toEqual([]);
  state.away = false;
  await vi.advanceTimersByTimeAsync(limits.reloadAgainMs);
  expect(state.applied).toEqual([2]);
  expect(vi.getTimerCount()).toBe(0);
});

it('tries no more when the server stops', async () => {
  const { state, reloader } = reloading();
  state.version = 2;
  await reloader.reload('files');
  await reloader.close();
  expect(vi.getTimerCount()).toBe(0);
});
