/** Policy tests: as this subject with this purpose, this query gives that; run on the one path, without a server. */
export type { Governed } from './coverage.ts';
export { junit, type JunitSuite, junitOf } from './junit.ts';
export { unnoticed } from './mutants.ts';
export { results, type Results } from './results.ts';
export { findSuites, readSuite, type Suite } from './suite.ts';
export { type Running, runTests } from './run.ts';
