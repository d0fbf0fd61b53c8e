// Sets up what is missing: dependencies, the TypeScript packages, the engine. What is up to date costs milliseconds.
// Runs on a bare Node, before anything is installed.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { runTool, ToolError } from './process.mjs';
import { dependenciesInstalled, installDependencies } from './setup/dependencies.mjs';
import { binaryPath, buildEngine, engineBuilt } from './setup/engine.mjs';
import { recorded } from './setup/inputs.mjs';
import { buildTypescript, typescriptInputs, typescriptStamp } from './setup/typescript.mjs';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Brings the checkout to where it can be run and tested. */
export async function setup() {
  requireNode();
  await dependencies();
  await typescript();
  await engine();
}

function requireNode() {
  const floor = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).engines.node.replace('>=', '');
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [floorMajor = 0, floorMinor = 0] = floor.split('.').map(Number);
  if (major < floorMajor || (major === floorMajor && minor < floorMinor)) {
    throw new ToolError(
      `Node ${process.versions.node} is too old: Ambit needs ${floor}`,
      'install a newer one from https://nodejs.org',
    );
  }
}

async function dependencies() {
  if (dependenciesInstalled(root)) return;
  console.error('setup: installing npm dependencies (about a minute)');
  await installDependencies(root);
}

async function typescript() {
  const stamp = join(root, '.ambit/setup/typescript');
  const inputs = typescriptInputs(root);
  if (recorded(stamp) === typescriptStamp(root, inputs)) return;
  console.error('setup: compiling the TypeScript packages (seconds)');
  await buildTypescript(root);
  // Keys and evidence will be in the same folder.
  mkdirSync(dirname(stamp), { recursive: true, mode: 0o700 });
  writeFileSync(stamp, `${typescriptStamp(root, inputs)}\n`);
}

async function engine() {
  if (engineBuilt(root)) return;
  const first = !existsSync(binaryPath(root, 'ambit-engine'));
  console.error(`setup: building the engine${first ? ', and DataFusion once: 10 to 20 minutes on two cores' : ''}`);
  await buildEngine(root);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await runTool(setup);
