import { isDeepStrictEqual } from 'node:util';
import { type Engine, type EngineConfig, startEngine } from '@ambit/engine';

/** The workers that sessions run in. Where others are needed, the ones before stay until their sessions have ended. */
export class Fleet {
  #config: EngineConfig;
  #engine: Engine;
  readonly #leaving = new Set<Engine>();

  private constructor(config: EngineConfig, engine: Engine) {
    this.#config = config;
    this.#engine = engine;
  }

  /** Throws `EngineUnavailable` when workers do not start. */
  static async start(config: EngineConfig): Promise<Fleet> {
    return new Fleet(config, await startEngine(config));
  }

  /** Those that new sessions get. */
  get engine(): Engine {
    return this.#engine;
  }

  /** Workers of this kind: those that are there, or others, which nobody gets yet. */
  async for(config: EngineConfig): Promise<Engine> {
    return this.#is(config) ? this.#engine : startEngine(config);
  }

  /** New sessions get these. The ones before end when nobody uses them. */
  take(config: EngineConfig, engine: Engine, unused: Promise<void>): void {
    this.#config = config;
    const before = this.#engine;
    if (engine === before) return;
    this.#engine = engine;
    this.#leaving.add(before);
    void unused.then(async () => {
      this.#leaving.delete(before);
      await before.close();
    });
  }

  /** Ends all of them. */
  async close(): Promise<void> {
    await Promise.all([...this.#leaving, this.#engine].map((engine) => engine.close()));
  }

  #is(config: EngineConfig): boolean {
    // Who is told does not matter.
    return isDeepStrictEqual({ ...config, log: null }, { ...this.#config, log: null });
  }
}
