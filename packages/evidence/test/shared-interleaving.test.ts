import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { EvidenceLog } from '../src/log.ts';
import { type Postgres, startPostgres } from './postgres.ts';
import { expectKept } from './process.ts';
import { fc } from './properties.ts';
import { type Proxy, startProxy } from './proxy.ts';
import { sharedLog, type SharedLog } from './shared-support.ts';
import { intent, outcome, refusal } from './support.ts';

let postgres: Postgres;
beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres.close());

/** What a server does, or what is done to it, one after the other. */
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('sessions' as const), count: fc.integer({ min: 1, max: 6 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('refusals' as const), count: fc.integer({ min: 1, max: 9 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cut' as const), count: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('deaf' as const), count: fc.integer({ min: 1, max: 20 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const), count: fc.constant(1) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('lost' as const), count: fc.constant(1) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('rotate' as const), count: fc.constant(1) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** A server of a log, on a network of its own. */
class Player {
  readonly #shared: SharedLog;
  readonly #name: string;
  readonly said: string[] = [];
  readonly #proxies: Proxy[] = [];
  #log: EvidenceLog | null = null;
  #folder: string | undefined;
  #count = 0;

  constructor(shared: SharedLog, name: string) {
    this.#shared = shared;
    this.#name = name;
  }

  async #open(): Promise<void> {
    const proxy = await startProxy(postgres.port);
    this.#proxies.push(proxy);
    const { log, folder } = await this.#shared.open(this.#folder, proxy.port);
    [this.#log, this.#folder] = [log, folder];
  }

  async play(steps: readonly Step[]): Promise<void> {
    await this.#open();
    for (const { kind, count } of steps) await this.#do(kind, count);
  }

  async #do(kind: Step['kind'], count: number): Promise<void> {
    const proxy = this.#proxies.at(-1) as Proxy;
    if (kind === 'sessions') await Promise.all(Array.from({ length: count }, () => this.#session()));
    if (kind === 'refusals')
      await this.#told(
        ...Array.from({ length: count }, (_, at) => (this.#log as EvidenceLog).append(refusal(`${at}`))),
      );
    if (kind === 'cut') for (let at = 0; at < count; at += 1) proxy.cut();
    if (kind === 'deaf') await this.#deaf(proxy, count);
    if (kind === 'restart') {
      await this.#log?.close();
      await this.#open();
    }
    if (kind === 'lost') await this.#lose(proxy);
    if (kind === 'rotate') await this.#told((this.#log as EvidenceLog).rotateKey());
  }

  /** What is under way arrives, and its answer does not. */
  async #deaf(proxy: Proxy, ms: number): Promise<void> {
    const session = this.#session();
    proxy.deaf = true;
    await pause(ms);
    proxy.cut();
    proxy.deaf = false;
    await session;
  }

  /** Gone for good with a session that runs; another takes its place, in a folder of its own. */
  async #lose(proxy: Proxy): Promise<void> {
    await this.#told((this.#log as EvidenceLog).append(intent(`${this.#name}-lost-${(this.#count += 1)}`)));
    proxy.down = true;
    proxy.cut();
    this.#folder = undefined;
    await this.#open();
  }

  async #session(): Promise<void> {
    const id = `${this.#name}-${(this.#count += 1)}`;
    const log = this.#log as EvidenceLog;
    const begun = await log.append(intent(id)).catch(() => null);
    if (begun === null) return;
    this.said.push(`intent ${id}`);
    const ended = await log.append(outcome(id, begun.seq)).catch(() => null);
    if (ended !== null) this.said.push(`outcome ${id}`);
  }

  async #told(...appended: readonly Promise<unknown>[]): Promise<void> {
    await Promise.allSettled(appended);
  }

  async end(): Promise<void> {
    await this.#log?.close();
    for (const proxy of this.#proxies) await proxy.close();
  }
}

it('however two or three servers interleave, it is one log that keeps what it promised', {
  timeout: 240_000,
}, async () => {
  const plays = fc.array(fc.array(step, { minLength: 2, maxLength: 8 }), { minLength: 2, maxLength: 3 });
  let acknowledged = 0;
  await fc.assert(
    fc.asyncProperty(plays, async (given) => {
      const shared = await sharedLog(postgres);
      const players = given.map((_, at) => new Player(shared, `p${at}`));
      await (await shared.open()).log.close();
      await Promise.all(players.map((player, at) => player.play(given[at] as Step[])));
      for (const player of players) await player.end();
      // Whoever comes last closes what the others left.
      const last = await shared.open();
      await shared.settled(last.log);
      await last.log.close();
      const said = players.flatMap((player) => player.said);
      acknowledged += said.length;
      await expectKept(await shared.fetched(last.folder), said);
    }),
    { numRuns: Number(process.env['EVIDENCE_PLAYS'] ?? 8) },
  );
  expect(acknowledged).toBeGreaterThan(50);
});
