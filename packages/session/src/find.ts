import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';

/**
 * Files beneath a folder whose names end so, sorted. Folders whose names begin with a dot are not looked into, nor is
 * `node_modules`: what lies there was not written for this folder.
 */
export async function filesBeneath(folder: string, extensions: readonly string[]): Promise<readonly string[]> {
  const found: string[] = [];
  const seen = new Set<string>();
  const walk = async (at: string): Promise<void> => {
    // A link may lead back.
    const real = await realpath(join(folder, at));
    if (seen.has(real)) return;
    seen.add(real);
    for (const entry of await readdir(real, { withFileTypes: true })) {
      const path = join(at, entry.name);
      const into = !entry.name.startsWith('.') && entry.name !== 'node_modules';
      if (entry.isDirectory() || (entry.isSymbolicLink() && (await isFolder(join(folder, path))))) {
        if (into) await walk(path);
      } else if (extensions.includes(extname(entry.name))) found.push(path);
    }
  };
  await walk('');
  return found.toSorted().map((path) => join(folder, path));
}

async function isFolder(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  return found?.isDirectory() === true;
}

/** Contract files among `paths`: a folder gives every YAML file beneath it whose kind is DataProduct. */
export function findContracts(paths: readonly string[]): Promise<readonly string[]> {
  return findKind(paths, 'DataProduct');
}

/** Files among `paths`: a folder gives every YAML file beneath it that is of a kind. */
export async function findKind(
  paths: readonly string[],
  kind: 'DataProduct' | 'PolicyTests',
): Promise<readonly string[]> {
  const ofKind = new RegExp(`^kind:\\s*${kind}\\s*$`, 'm');
  const found: string[] = [];
  for (const path of paths) {
    if (!(await stat(path)).isDirectory()) {
      found.push(path);
      continue;
    }
    for (const file of await filesBeneath(path, ['.yaml', '.yml'])) {
      const text = await readFile(file, 'utf8');
      if (ofKind.test(text)) found.push(file);
    }
  }
  return found;
}
