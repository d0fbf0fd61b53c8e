// The engine's binaries, by cargo.

import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';

import { run, ToolError } from '../process.mjs';
import { digestOf, filesBelow, recorded } from './inputs.mjs';
import { estimator, progressLine, timeLeft } from './progress.mjs';

const binaries = ['ambit-engine', 'emit-protocol-schema'];

/**
 * Where cargo puts what it builds.
 *
 * @param {string} root
 * @param {NodeJS.ProcessEnv} env
 */
export function targetFolder(root, env = process.env) {
  return resolve(root, env.CARGO_TARGET_DIR ?? 'target');
}

/**
 * @param {string} root
 * @param {string} name
 */
export function binaryPath(root, name) {
  return join(targetFolder(root), 'debug', name);
}

/** @param {string} root */
export function engineInputs(root) {
  const sources = filesBelow(join(root, 'crates'), (path) => /\.rs$|\/Cargo\.toml$/.test(path));
  const shared = ['Cargo.toml', 'Cargo.lock'].map((name) => join(root, name));
  return digestOf(root, [...sources, ...shared], [process.env.RUSTFLAGS ?? '']);
}

// A binary that was changed since, by cargo or by hand, is not the one that the stamp is about.
/** @param {string} root */
function stampOf(root, /** @type {string} */ inputs) {
  const times = binaries.map((name) => statSync(binaryPath(root, name), { throwIfNoEntry: false })?.mtimeMs ?? 'none');
  return [inputs, ...times].join(' ');
}

const stampFile = (/** @type {string} */ root) => join(targetFolder(root), '.ambit-built');

/** @param {string} root */
export function engineBuilt(root) {
  return (
    binaries.every((name) => existsSync(binaryPath(root, name))) &&
    recorded(stampFile(root)) === stampOf(root, engineInputs(root))
  );
}

/** @param {string} root */
export async function buildEngine(root) {
  await requireToolchain(root);
  // Before the build: what changes meanwhile is built the next time.
  const inputs = engineInputs(root);
  const line = progressLine(process.stderr);
  const costs = JSON.parse(readFileSync(new URL('engine-costs.json', import.meta.url), 'utf8'));
  const estimate = estimator(costs, availableParallelism());
  const started = Date.now();
  const report = () => {
    const { done, total, left } = estimate.at((Date.now() - started) / 1000);
    line.show(`engine: ${done}/${total || '?'} crates, ${timeLeft(left)}`);
  };
  const timer = setInterval(report, 1000);
  const { status } = await run('cargo', ['build', '--locked', '--bins', '--message-format=json-render-diagnostics'], {
    cwd: root,
    // cargo's own bar is the one place that says how many crates there are.
    env: {
      ...process.env,
      CARGO_TERM_PROGRESS_WHEN: 'always',
      CARGO_TERM_PROGRESS_WIDTH: '100',
      CARGO_TERM_COLOR: 'never',
    },
    onLine: (text, stream) => (stream === 'stdout' ? readMessage(text, estimate) : readTalk(text, estimate, line)),
  });
  clearInterval(timer);
  line.clear();
  if (status !== 0)
    throw new ToolError(
      'the engine does not build',
      'the reason is above; `cargo build --locked` repeats this step alone',
    );
  writeFileSync(stampFile(root), `${stampOf(root, inputs)}\n`);
}

/**
 * A line of cargo's JSON messages.
 *
 * @param {string} text
 * @param {import('./progress.mjs').Estimator} estimate
 */
export function readMessage(text, estimate) {
  if (!text.startsWith('{')) return;
  const message = JSON.parse(text);
  if (message.reason !== 'compiler-artifact' || message.target.kind.includes('custom-build')) return;
  estimate.finished(message.target.name.replaceAll('-', '_'), message.fresh);
}

/**
 * A line of cargo's talk: the bar gives the count, the compiling of each crate is not worth a line, all else is shown.
 *
 * @param {string} text
 * @param {import('./progress.mjs').Estimator} estimate
 * @param {{ clear(): void }} line
 */
export function readTalk(text, estimate, line) {
  const bar = /Building \[[^\]]*\]\s+(\d+)\/(\d+)/.exec(text);
  if (bar !== null) {
    estimate.count(Number(bar[1]), Number(bar[2]));
    return;
  }
  const quiet =
    /^\s*(Compiling|Downloaded|Downloading|Fresh|Finished|Updating|Locking|Adding|Blocking waiting)\b|^\s*$/;
  if (quiet.test(text)) return;
  line.clear();
  process.stderr.write(`${text}\n`);
}

/** @param {string} root */
async function requireToolchain(root) {
  const wanted = /rust-version = "(\d+)\.(\d+)"/.exec(readFileSync(join(root, 'Cargo.toml'), 'utf8'));
  const { status, stdout } = await run('rustc', ['--version'], { output: 'capture' });
  if (status !== 0) {
    throw new ToolError(
      'Rust is not installed: there is no `rustc`',
      'install it with rustup (https://rustup.rs), open a new shell and run this again',
    );
  }
  const found = /rustc (\d+)\.(\d+)/.exec(stdout);
  if (wanted !== null && found !== null && !atLeast(found, wanted)) {
    throw new ToolError(
      `Rust ${found[1]}.${found[2]} is too old: the engine needs ${wanted[1]}.${wanted[2]}`,
      'run `rustup update stable`',
    );
  }
  const compiler = await run(process.env.CC ?? 'cc', ['--version'], { output: 'capture' });
  if (compiler.status !== 0) {
    throw new ToolError(
      "there is no C compiler: two of the engine's dependencies need one",
      'on Debian: `apt-get install build-essential`',
    );
  }
}

/**
 * @param {RegExpExecArray} found
 * @param {RegExpExecArray} wanted
 */
function atLeast(found, wanted) {
  const [major, minor] = [Number(found[1]) - Number(wanted[1]), Number(found[2]) - Number(wanted[2])];
  return major > 0 || (major === 0 && minor >= 0);
}
