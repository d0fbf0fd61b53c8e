import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { ContractsInvalid, type Product } from '@ambit/session';
import {
  findSuites,
  junit,
  readSuite,
  type Results,
  results,
  type Running,
  runTests,
  type Suite,
  unnoticed,
} from '@ambit/policy-test';

import { environmentOf, explain } from './environment.ts';
import { CliError, exitCodes } from './failure.ts';
import { untilInterrupted } from './interrupted.ts';
import { isCovered, resultsPage } from './page/test.ts';
import { engineFor, loadContracts } from './serving.ts';
import { say, type Terminal, writeOut } from './terminal.ts';

interface Options {
  readonly environment?: string | undefined;
  readonly junit?: string | undefined;
  readonly mutants?: true | undefined;
  readonly covered?: true | undefined;
  readonly json?: true | undefined;
}

/** Runs policy tests and tells how they ended. Throws where one failed. */
export async function testPolicies(terminal: Terminal, paths: readonly string[], options: Options): Promise<void> {
  const suites = await suitesOf(terminal, paths);
  const all = await runSuites(terminal, suites, options.environment, options.mutants === true);
  if (options.junit !== undefined) await writeFile(options.junit, junit(all));
  await writeOut(terminal, options.json ? `${JSON.stringify(all, null, 2)}\n` : all.map(resultsPage).join('\n'));
  const failed = all.reduce((sum, one) => sum + one.failed, 0);
  const passed = all.reduce((sum, one) => sum + one.passed, 0);
  if (failed > 0) throw new CliError(exitCodes.failed, `${failed} of ${failed + passed} policy tests failed`);
  if (options.covered && !all.every(isCovered))
    throw new CliError(
      exitCodes.failed,
      'the tests do not cover the policy',
      'the page above says what they leave out',
    );
}

/** Runs suites, those of one contract together. */
export async function runSuites(
  terminal: Terminal,
  suites: readonly Suite[],
  environment: string | undefined,
  mutants: boolean,
): Promise<readonly Results[]> {
  const contracts = [...new Set(suites.map(({ contract }) => resolve(contract)))];
  // Whoever ends it early leaves nothing of its evidence, nor of the keys that seal it.
  return untilInterrupted(terminal, async (signal) => {
    const products = await loadContracts(terminal, contracts, environment);
    signal.throwIfAborted();
    const engine = await engineFor(terminal, await environmentOf(environment, contracts), products);
    try {
      const running = { engine, signal };
      const all: Results[] = [];
      for (const product of products)
        all.push(await testProduct(terminal, product, testsOf(suites, product), running, mutants));
      return all;
    } finally {
      await engine.close();
    }
  });
}

async function testProduct(
  terminal: Terminal,
  product: Product,
  tests: Suite['tests'],
  running: Running,
  mutants: boolean,
): Promise<Results> {
  const ran = await runTests(product, tests, running);
  const failed = ran.some(({ complaints }) => complaints.length > 0);
  if (mutants && failed) say(terminal, 'a test failed: what no test would miss is told when all pass');
  return results(product, ran, mutants && !failed ? await unnoticed(product, tests, running) : null);
}

function testsOf(suites: readonly Suite[], { file }: Product): Suite['tests'] {
  return suites.filter(({ contract }) => resolve(contract) === resolve(file)).flatMap(({ tests }) => tests);
}

/** Suites in files and folders. Throws where there is none, and all that is wrong with them. */
export async function suitesOf(terminal: Terminal, paths: readonly string[]): Promise<readonly Suite[]> {
  const files = await findSuites(paths.length === 0 ? ['.'] : paths).catch((cause: unknown) => {
    throw new CliError(exitCodes.usage, (cause as Error).message, 'name a file of policy tests, or a folder', {
      cause,
    });
  });
  if (files.length === 0)
    throw new CliError(
      exitCodes.usage,
      `there are no policy tests in ${paths.length === 0 ? terminal.cwd : paths.join(', ')}`,
      'policy tests are a YAML file whose kind is PolicyTests',
    );
  const read = await Promise.all(files.map(readSuite));
  const problems = read.flatMap((one) => ('problems' in one ? one.problems : []));
  if (problems.length > 0) explain(new ContractsInvalid(problems));
  return read.flatMap((one) => ('problems' in one ? [] : [one]));
}
