// What the story is played with: folders that go away, people with keys, commands that are shown before they run, a server.

import { spawn, spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const checkout = fileURLToPath(new URL('../../', import.meta.url));
const ambit = join(checkout, 'packages/cli/bin/ambit.js');

/** A wait that is longer than any of these takes. */
const PATIENCE_MS = 60_000;

/** What runs now; null when the story is over. */
let running = new Map();

/** Starts a program, which ends with the story at the latest. `gone` gives its exit status. */
function start(program, words, options) {
  if (running === null) throw new Error('the story is over');
  const child = spawn(program, words, options);
  const gone = new Promise((ended, failed) => child.once('error', failed).once('close', ended));
  running.set(
    child,
    gone.catch(() => null),
  );
  void gone.catch(() => null).then(() => running?.delete(child));
  return { child, gone };
}

async function endAll() {
  const all = [...running];
  running = null;
  for (const [child] of all) child.kill('SIGTERM');
  await Promise.all(all.map(([, gone]) => gone));
}

/** Says why the story cannot be told here. */
function requireSetup() {
  if (!existsSync(join(checkout, 'packages/cli/dist/index.js')))
    throw new Error('Ambit is not built here: run `npm run build` in the checkout, or `npm start` once');
  if (spawnSync('git', ['--version']).status !== 0) throw new Error('the story needs git');
}

/** Folders of the story, and what runs in them. `close` ends and removes all of it. */
export function setStage() {
  requireSetup();
  const folder = mkdtempSync(join(tmpdir(), 'ambit-story-'));
  return {
    /** Where the team works. */
    work: join(folder, 'work'),
    /** What the server serves: a clone. */
    served: join(folder, 'served'),
    /** Makes somebody an Ed25519 key, and gives what a contract lists of it. */
    person: (name) => person(join(folder, 'keys'), name),
    serve: startServer,
    close: async () => {
      await endAll();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function person(keys, name) {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  mkdirSync(keys, { recursive: true, mode: 0o700 });
  writeFileSync(join(keys, `${name}.pem`), privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 });
  const raw = Buffer.from(publicKey.export({ format: 'jwk' }).x, 'base64url').toString('base64');
  return `${raw} ${name}@example.org`;
}

/** Tells what comes next. */
export function tell(text) {
  console.log(`\n# ${text.replaceAll('\n', '\n# ')}`);
}

/**
 * Shows a command, runs it as somebody, and shows what it says, which it gives too. Throws if it does not end as it should:
 * `fails` says that it must.
 */
export async function run(who, cwd, words, { fails = false, env = {} } = {}) {
  console.log(`\n${who}$ ${words.map(quoted).join(' ')}`);
  const [program, ...rest] = words[0] === 'ambit' ? [process.execPath, ambit, ...words.slice(1)] : words;
  const { child, gone } = start(program, rest, {
    cwd,
    env: { ...process.env, ...identityOf(who), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      said += text;
      process.stdout.write(text);
    });
  }
  const status = await gone;
  if (status !== 0) console.log(`[exit status ${status}]`);
  if ((status !== 0) !== fails) throw new Error(`that should have ${fails ? 'failed' : 'worked'}`);
  return said;
}

/** Whose commits these are. Nothing of the configuration of this machine has a say. */
function identityOf(name) {
  const email = `${name}@example.org`;
  return {
    GIT_AUTHOR_NAME: name,
    GIT_AUTHOR_EMAIL: email,
    GIT_COMMITTER_NAME: name,
    GIT_COMMITTER_EMAIL: email,
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_NOSYSTEM: '1',
    NO_COLOR: '1',
  };
}

function quoted(word) {
  return /^[\w./:=@,~-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Starts a server on a free port, and shows what it says. */
async function startServer(cwd) {
  const words = ['serve', '--environment', 'production', '--listen', '127.0.0.1:0'];
  console.log(`\nserver$ ambit ${words.join(' ')} &`);
  const { child, gone } = start(process.execPath, [ambit, ...words], { cwd, stdio: ['ignore', 'ignore', 'pipe'] });
  const said = [];
  createInterface({ input: child.stderr }).on('line', (line) => {
    said.push(line);
    console.log(`  server | ${line}`);
  });
  let seen = 0;
  /** The next line that looks so. */
  const says = async (what) => {
    for (const since = Date.now(); Date.now() - since < PATIENCE_MS; ) {
      const found = said.findIndex((line, at) => at >= seen && what.test(line));
      if (found >= 0) {
        seen = found + 1;
        return said[found];
      }
      if (child.exitCode !== null) break;
      await new Promise((later) => setTimeout(later, 50));
    }
    throw new Error(`the server never said ${what}`);
  };
  const stop = async () => {
    child.kill('SIGTERM');
    await gone;
  };
  const listening = await says(/^listening on /);
  return { url: listening.replace('listening on ', ''), says, stop };
}
