// `npm start`: sets up what is missing, serves the example, and prints what to try.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { runTool, ToolError } from './process.mjs';
import { root, setup } from './setup.mjs';

const address = 'http://127.0.0.1:7070';
const command = join(root, 'packages/cli/bin/ambit.js');

/** Who asks in the example: see examples/flights/flights.cedar. */
const subjects = [
  { name: 'maria', role: 'operator', claims: ['state=CA'] },
  { name: 'vera', role: 'auditor', claims: [] },
  { name: 'noah', role: 'researcher', claims: ['released_until=2001-04-01T00:00:00'] },
];

// Another server there would answer in this one's place.
async function requireFree() {
  const answer = await fetch(`${address}/health`).catch(() => undefined);
  if (answer !== undefined) throw new ToolError(`something is served on ${address} already`, 'stop it first');
}

function ensureKeys() {
  const known = existsSync(join(root, '.ambit/keys.json'));
  for (const { name, role, claims } of subjects) {
    const profile = join(root, '.ambit/profiles', name);
    if (existsSync(profile) && known) continue;
    // A saved key whose hash is gone opens nothing.
    rmSync(profile, { force: true });
    const words = ['key', 'create', '--tenant', 'mobility', '--principal', name, '--role', role, '--save', name];
    for (const claim of claims) words.push('--claim', claim);
    const { status, stderr } = spawnSync(process.execPath, [command, ...words], { cwd: root, encoding: 'utf8' });
    if (status !== 0) throw new ToolError(`cannot make a key for ${name}`, stderr.trim());
  }
}

async function ready(/** @type {import('node:child_process').ChildProcess} */ server) {
  for (;;) {
    if (server.exitCode !== null) throw new ToolError('the server did not start', 'the lines above say why');
    const answer = await fetch(`${address}/ready`).catch(() => undefined);
    if (answer?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function invite() {
  const question =
    'SELECT origin, count(*) AS flights, min(date) AS first FROM flights GROUP BY origin ORDER BY 2 DESC LIMIT 5';
  console.log(`
Ambit serves examples/flights on ${address}. In another terminal, in this folder:

Ask as an airport operator: the flights of her state, to the minute.
$ npx ambit query flights --as maria --purpose operations "${question}"

Ask the same as a researcher: every state, days alone, and only what was released.
$ npx ambit query flights --as noah --purpose research "${question}"

Ask why: everything that this last session could see and did.
$ npx ambit session explain --last --as noah

Stop with Ctrl-C. examples/flights/README.md goes on from here.`);
}

await runTool(async () => {
  await setup();
  await requireFree();
  ensureKeys();
  const words = ['serve', 'examples/flights', '--environment', 'development'];
  const server = spawn(process.execPath, [command, ...words], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  const ended = new Promise((resolve) => server.once('exit', (code) => resolve(code ?? 1)));
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => server.kill('SIGTERM'));
  await ready(server);
  invite();
  return ended;
});
