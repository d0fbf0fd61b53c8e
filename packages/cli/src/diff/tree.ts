import { readdirSync, readFileSync, statSync } from 'node:fs';
import { extname, join, relative } from 'node:path';

import { CliError, exitCodes } from '../failure.ts';

/** Files at some time: those of the folder, or those of a commit. */
export interface Tree {
  /** What it is called: `main`, or `the working tree`. */
  readonly label: string;
  /** Where a path of the working tree lies in it. */
  readonly at: (path: string) => string;
  /** What a file of it is called when it is told. */
  readonly told: (path: string) => string;
}

/** The files as they are now. */
export const workingTree: Tree = {
  label: 'the working tree',
  at: (path) => path,
  told: (path) => path,
};

/** The files of a commit of the checkout at `root`, as they lie in a folder. */
export function treeIn(folder: string, root: string, label: string): Tree {
  return {
    label,
    at: (path) => join(folder, relative(root, path)),
    told: (path) => `${label}:${relative(folder, path)}`,
  };
}

/** What a YAML file says that it is, as far as that is told without reading it whole. */
export interface Declared {
  readonly file: string;
  readonly kind: 'DataProduct' | 'Environment';
  readonly name: string;
  /** Of a product. */
  readonly version: string;
}

/** Contracts and environments of a file, or beneath a folder. */
export function declaredIn(path: string): readonly Declared[] {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return [];
  return found.isDirectory() ? beneath(path).flatMap(declaredBy) : declaredBy(path);
}

function beneath(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true })
    .toSorted((one, other) => (one.name < other.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return skipped(entry.name) ? [] : beneath(path);
      return ['.yaml', '.yml'].includes(extname(entry.name)) ? [path] : [];
    });
}

/** Nobody keeps contracts in what tools made. */
function skipped(name: string): boolean {
  return name.startsWith('.') || name === 'node_modules' || name === 'target';
}

function declaredBy(file: string): readonly Declared[] {
  const text = readFileSync(file, 'utf8');
  const word = (key: string): string => new RegExp(`^${key}:\\s*["']?([^\\s"'#]+)`, 'm').exec(text)?.[1] ?? '';
  const kind = word('kind');
  if (kind !== 'DataProduct' && kind !== 'Environment') return [];
  return [{ file, kind, name: word('name'), version: word('version') }];
}

/** The contract of a product, of a version if one is asked for; null: there is none. */
export function contractIn(tree: Tree, path: string, product: string, version: string | null): string | null {
  const all = declaredIn(tree.at(path)).filter(({ kind, name }) => kind === 'DataProduct' && name === product);
  const found = all.filter((one) => version === null || one.version === version);
  const [first] = found;
  if (found.length > 1) {
    const files = found.map(({ file }) => `\`${tree.told(file)}\``).join(', ');
    throw new CliError(
      exitCodes.usage,
      `there are ${found.length} contracts of \`${product}\`: ${files}`,
      'name one with --contracts, or a version',
    );
  }
  return first?.file ?? null;
}

/** The file of an environment by its name, in a file or folder of the tree; null: there is none. */
export function environmentIn(tree: Tree, path: string, name: string): string | null {
  const found = declaredIn(path).filter((one) => one.kind === 'Environment' && one.name === name);
  if (found.length > 1) {
    const files = found.map(({ file }) => `\`${tree.told(file)}\``).join(', ');
    throw new CliError(
      exitCodes.usage,
      `there are ${found.length} environments \`${name}\`: ${files}`,
      'name the file of one',
    );
  }
  return found[0]?.file ?? null;
}
