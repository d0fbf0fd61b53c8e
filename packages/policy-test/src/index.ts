/** Policy tests: as this subject with this purpose, this query gives that; run on the one path, without a server. */
export { type Coverage, coverageOf, type Governed } from './coverage.ts';
export { junit, type JunitSuite, junitOf } from './junit.ts';
export { type Unnoticed, unnoticed } from './mutants.ts';
export { type Result, results, type Results } from './results.ts';
export { findSuites, type PolicyTest, readSuite, type Suite } from './suite.ts';
export { runTests, type Ran } from './run.ts';
