// An engine in a process of its own: says its workers' pids, and stays.
import { engineBinary, startEngine } from '../dist/index.js';

const engine = await startEngine({
  binary: engineBinary(),
  isolation: 'shared',
  workers: 2,
  threads: 1,
  memoryBytes: 2 ** 26,
  spillBytes: 0,
  roots: [],
  endpoints: [],
  log: () => {},
});
console.log(JSON.stringify((await engine.health()).map(({ pid }) => pid)));
setInterval(() => {}, 60_000);
