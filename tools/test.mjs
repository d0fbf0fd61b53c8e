// Every test: the quick checks, Rust, and TypeScript with the server and the command as real processes. The last line is
// `N passed, N failed`.
//
//   node tools/test.mjs          what `npm test` runs
//   node tools/test.mjs --all    clippy too

import { mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { check } from './check.mjs';
import { run, runTool } from './process.mjs';
import { root, setup } from './setup.mjs';
import { pythonEnvironment } from './setup/python.mjs';
import { cargoTally, summary, vitestTally } from './tally.mjs';

async function cargoTests() {
  let output = '';
  const { status } = await run('cargo', ['test', '--workspace', '--locked', '--no-fail-fast'], {
    cwd: root,
    onLine: (line, stream) => {
      process[stream].write(`${line}\n`);
      if (stream === 'stdout') output += `${line}\n`;
    },
  });
  return cargoTally(output, status);
}

async function vitestTests() {
  const report = join(root, '.ambit/test/vitest.json');
  mkdirSync(dirname(report), { recursive: true, mode: 0o700 });
  // What is left of an earlier run must not stand for this one.
  rmSync(report, { force: true });
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const { status } = await run(
    process.execPath,
    [vitest, 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
    { cwd: root },
  );
  return vitestTally(report, status);
}

async function main() {
  await setup();
  for (const tests of ['api', 'odcs', 'stores'])
    await pythonEnvironment(root, join(root, 'tests', tests, 'requirements.txt'));
  const tallies = await check(!process.argv.includes('--all'));
  tallies.push(await cargoTests(), await vitestTests());
  for (const { name, passed, failed } of tallies) {
    if (failed > 0) console.log(`${name}: ${passed} passed, ${failed} failed`);
  }
  const { failed, line } = summary(tallies);
  console.log(line);
  return failed === 0 ? 0 : 1;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await runTool(async () => {
    try {
      return await main();
    } catch (error) {
      // Whoever reads the last line alone must not take this for a success.
      process.on('exit', () => console.log('0 passed, 1 failed'));
      throw error;
    }
  });
}
