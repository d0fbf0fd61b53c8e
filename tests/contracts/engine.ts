import { type Engine, engineBinary, startEngine } from '@ambit/engine';

/** An engine that checks contracts and opens no store. */
export function checkingEngine(): Promise<Engine> {
  return startEngine({
    binary: engineBinary(),
    isolation: 'shared',
    workers: 1,
    threads: 2,
    memoryBytes: 2 ** 28,
    spillBytes: 0,
    roots: [],
    endpoints: [],
    log: () => {},
  });
}
