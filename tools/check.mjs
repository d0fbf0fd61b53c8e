// Everything that can be said about the code without running it. Each check counts as one test.
//
//   node tools/check.mjs            all checks
//   node tools/check.mjs --quick    all but clippy, which compiles every dependency once more for itself

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { run, runTool } from './process.mjs';
import { root, setup } from './setup.mjs';
import { summary } from './tally.mjs';

const tool = (/** @type {string} */ name) => join(root, 'node_modules/.bin', name);

/** @type {readonly { name: string, command: readonly [string, ...string[]], fix: string, slow: boolean }[]} */
const checks = [
  {
    name: 'tidy',
    command: [process.execPath, 'tools/tidy.mjs'],
    fix: 'each line above says what to change',
    slow: false,
  },
  { name: 'format', command: [tool('biome'), 'format', '.'], fix: 'npm run format', slow: false },
  {
    name: 'lint',
    command: [tool('oxlint'), '--type-aware', '--deny-warnings'],
    fix: 'npx oxlint --type-aware',
    slow: false,
  },
  // What is run with the packages as they are built, and by nobody else who would look.
  { name: 'types', command: [tool('tsc'), '-p', 'tools'], fix: 'each line above says what does not fit', slow: false },
  { name: 'rustfmt', command: ['cargo', 'fmt', '--check'], fix: 'npm run format', slow: false },
  { name: 'schemas', command: [process.execPath, 'tools/schemas.mjs', '--check'], fix: 'npm run schemas', slow: false },
  {
    name: 'clippy',
    command: ['cargo', 'clippy', '--workspace', '--all-targets', '--locked', '--quiet', '--', '-D', 'warnings'],
    fix: 'cargo clippy --workspace --all-targets',
    slow: true,
  },
];

/**
 * Runs the checks and tells what failed as it fails.
 *
 * @param {boolean} quick
 * @returns {Promise<import('./tally.mjs').Tally[]>}
 */
export async function check(quick) {
  const tallies = [];
  for (const { name, command, fix, slow } of checks) {
    if (quick && slow) continue;
    const started = Date.now();
    const { status, stdout, stderr } = await run(command[0], command.slice(1), { cwd: root, output: 'capture' });
    const seconds = ((Date.now() - started) / 1000).toFixed(1);
    if (status === 0) {
      console.log(`check ${name}: ok (${seconds} s)`);
    } else {
      console.log(`${stdout}${stderr}check ${name}: FAILED (${seconds} s)\nhint: ${fix}`);
    }
    tallies.push({ name, passed: status === 0 ? 1 : 0, failed: status === 0 ? 0 : 1 });
  }
  return tallies;
}

async function main() {
  await setup();
  const { failed, line } = summary(await check(process.argv.includes('--quick')));
  console.log(line);
  return failed === 0 ? 0 : 1;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await runTool(main);
