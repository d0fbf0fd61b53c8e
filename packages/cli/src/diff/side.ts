import { readFileSync, statSync } from 'node:fs';
import { dirname, relative, resolve, sep } from 'node:path';
import { type Boundary, readBoundary } from '@ambit/contract';
import type { Engine } from '@ambit/engine';
import { ContractsInvalid, loadEnvironment, loadProducts } from '@ambit/session';

import { showBoundary } from '../api.ts';
import { type Where, withConnection } from '../arguments.ts';
import { CliError, exitCodes } from '../failure.ts';
import { commitOf, type Git, gitOf } from '../git/checkout.ts';
import { lastCommit } from '../git/history.ts';
import { withTree } from '../git/tree.ts';
import type { Terminal } from '../terminal.ts';
import { contractIn, declaredIn, environmentIn, treeIn, workingTree, type Tree } from './tree.ts';

/** What is compared, and where it is looked for. */
export interface Asked extends Where {
  readonly product: string;
  /** Contracts, and the environments beside them: a file or a folder. */
  readonly contracts: string;
  /** Name or file of the environment of sides that name none. */
  readonly environment: string | undefined;
}

/** What one side of a comparison is. */
export type Side =
  | { readonly kind: 'nothing' | 'running' }
  | { readonly kind: 'file' | 'environment file' | 'contracts'; readonly path: string }
  | { readonly kind: 'environment' | 'version' | 'ref'; readonly name: string };

/** One of these words is an environment: a folder of that name is `./test`. */
const ENVIRONMENTS = ['development', 'test', 'staging', 'production'];

/** What a word of the command line means. */
export function sideOf(terminal: Terminal, word: string): Side {
  if (word === 'nothing' || word === 'running') return { kind: word };
  if (ENVIRONMENTS.includes(word)) return { kind: 'environment', name: word };
  if (/^\d+\.\d+\.\d+$/.test(word)) return { kind: 'version', name: word };
  const path = resolve(terminal.cwd, word);
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return { kind: 'ref', name: word };
  if (found.isFile() && word.endsWith('.json')) return { kind: 'file', path };
  const isEnvironment = found.isFile() && declaredIn(path)[0]?.kind === 'Environment';
  return { kind: isEnvironment ? 'environment file' : 'contracts', path };
}

/** The boundary of a side. Null: nothing. `running` is the environment of a server on the other side. */
export async function boundaryOf(
  terminal: Terminal,
  engine: Engine,
  asked: Asked,
  side: Side,
  running: string | null,
): Promise<Boundary | null> {
  const contracts = resolve(terminal.cwd, asked.contracts);
  const usual = asked.environment ?? running ?? undefined;
  switch (side.kind) {
    case 'nothing':
      return null;
    case 'running':
      return ofServer(terminal, asked);
    case 'file':
      return fromFile(side.path, asked.product);
    case 'environment':
      return load(terminal, engine, asked, { tree: workingTree, contracts, version: null, environment: side.name });
    case 'environment file':
      return load(terminal, engine, asked, { tree: workingTree, contracts, version: null, environment: side.path });
    case 'contracts':
      return load(terminal, engine, asked, {
        tree: workingTree,
        contracts: side.path,
        version: null,
        environment: usual,
      });
    case 'version':
      return ofVersion(terminal, engine, asked, side.name, usual);
    case 'ref':
      return ofRef(terminal, engine, asked, side.name, usual);
    default:
      throw new Error('no such side');
  }
}

/** A git ref: the files as they were in that commit. */
async function ofRef(
  terminal: Terminal,
  engine: Engine,
  asked: Asked,
  ref: string,
  environment: string | undefined,
): Promise<Boundary> {
  const contracts = resolve(terminal.cwd, asked.contracts);
  if (statSync(contracts, { throwIfNoEntry: false }) === undefined) throw unknownSide(asked.contracts);
  const git = await checkoutOf(terminal.cwd);
  const commit = await commitOf(git, ref);
  if (commit === null) throw unknownSide(ref);
  return withTree(git, commit, (folder) => {
    const tree = treeIn(folder, git.root, ref);
    return load(terminal, engine, asked, { tree, contracts, version: null, environment });
  });
}

async function checkoutOf(folder: string): Promise<Git> {
  const git = await gitOf(folder);
  if (git !== null) return git;
  throw new CliError(
    exitCodes.usage,
    `${folder} is in no git checkout, or there is no git`,
    'versions and git refs are looked for in the history; name a folder or a file instead',
  );
}

function unknownSide(word: string): CliError {
  return new CliError(
    exitCodes.usage,
    `\`${word}\` is neither a file, a folder nor a git ref`,
    `there are: ${ENVIRONMENTS.join(', ')}, running, nothing, a version, a folder or file, a git ref`,
  );
}

async function ofServer(terminal: Terminal, asked: Asked): Promise<Boundary> {
  const text = await withConnection(terminal, asked, (connection) => showBoundary(connection, asked.product));
  const boundary = readBoundary(text);
  if (!('problem' in boundary)) return boundary;
  throw new CliError(exitCodes.failed, `the server answered with no boundary: ${boundary.problem}`);
}

function fromFile(path: string, product: string): Boundary {
  const boundary = readBoundary(readFileSync(path, 'utf8'));
  if ('problem' in boundary) throw new CliError(exitCodes.usage, `\`${path}\` is no boundary: ${boundary.problem}`);
  const { name } = boundary.product;
  if (name !== product)
    throw new CliError(exitCodes.usage, `\`${path}\` is a boundary of \`${name}\`, not of \`${product}\``);
  return boundary;
}

/** A version: of the working tree if a contract there has it, else as it was last in the history. */
async function ofVersion(
  terminal: Terminal,
  engine: Engine,
  asked: Asked,
  version: string,
  environment: string | undefined,
): Promise<Boundary> {
  const contracts = resolve(terminal.cwd, asked.contracts);
  if (contractIn(workingTree, contracts, asked.product, version) !== null)
    return load(terminal, engine, asked, { tree: workingTree, contracts, version, environment });
  const files = declaredIn(contracts).filter(({ kind, name }) => kind === 'DataProduct' && name === asked.product);
  const git = await checkoutOf(terminal.cwd);
  for (const { file } of files) {
    const declares = new RegExp(`^version:\\s*["']?${version.replaceAll('.', '\\.')}["']?\\s*(?:#.*)?$`, 'm');
    const path = relative(git.root, file).split(sep).join('/');
    const commit = await lastCommit(git, path, (text) => declares.test(text));
    if (commit === null) continue;
    return withTree(git, commit, (folder) => {
      const tree = treeIn(folder, git.root, commit.slice(0, 12));
      return load(terminal, engine, asked, { tree, contracts: file, beside: contracts, version, environment });
    });
  }
  throw new CliError(
    exitCodes.failed,
    `no contract of \`${asked.product}\` declares version ${version}, now or in the history`,
    'a shallow clone has no history: `git fetch --unshallow`',
  );
}

interface Place {
  readonly tree: Tree;
  readonly contracts: string;
  /** Where environments are looked for, if not there where contracts are. */
  readonly beside?: string;
  readonly version: string | null;
  readonly environment: string | undefined;
}

/** The boundary of a contract with an environment. */
async function load(terminal: Terminal, engine: Engine, { product }: Asked, place: Place): Promise<Boundary> {
  const { tree, contracts, version } = place;
  const contract = contractIn(tree, contracts, product, version);
  if (contract === null)
    throw new CliError(
      exitCodes.usage,
      `there is no contract of \`${product}\` in ${tree.told(tree.at(contracts))}`,
      '--contracts names the file, or a folder above it',
    );
  const environment = environmentFile(terminal, place, contract);
  try {
    const [loaded] = await loadProducts([contract], await loadEnvironment(environment), engine);
    if (loaded === undefined) throw new Error('nothing was loaded');
    return loaded.boundary;
  } catch (error) {
    if (!(error instanceof ContractsInvalid)) throw error;
    throw new ContractsInvalid(error.problems.map((problem) => ({ ...problem, file: tree.told(problem.file) })));
  }
}

/** Null: the built-in one, development on this machine. */
function environmentFile(
  terminal: Terminal,
  { tree, contracts, beside, environment }: Place,
  contract: string,
): string | null {
  if (environment === undefined) return null;
  if (!ENVIRONMENTS.includes(environment)) {
    const file = tree.at(resolve(terminal.cwd, environment));
    if (statSync(file, { throwIfNoEntry: false })?.isFile() === true) return file;
    throw new CliError(exitCodes.usage, `there is no environment \`${environment}\` in ${tree.label}`);
  }
  for (const path of [tree.at(beside ?? contracts), dirname(contract)]) {
    const found = environmentIn(tree, path, environment);
    if (found !== null) return found;
  }
  if (environment === 'development') return null;
  throw new CliError(
    exitCodes.usage,
    `there is no environment \`${environment}\` beside the contract, in ${tree.label}`,
    'it is a YAML file with `kind: Environment` and that name; --contracts names a folder that holds it',
  );
}
