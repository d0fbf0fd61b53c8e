import type { SignedCheckpoint } from './checkpoint.ts';
import type { Files } from './files.ts';
import { Growing, leafHash, type NodeHash, rootAt, rootOf } from './merkle.ts';
import { readParts, TILE_HEIGHT, TILE_WIDTH, tilePath } from './tiles.ts';
import type { Problem } from './problem.ts';

/** The leaves that a checkpoint covers, as the tiles have them. They make its root. */
export interface SignedTree {
  readonly size: number;
  /** Root of the first `size` records; null if there never were so many. */
  rootAt(size: number): Promise<Buffer | null>;
  /** Leaves `[from, to)`, as far as there are. */
  leaves(from: number, to: number): Promise<readonly Buffer[]>;
}

type Tell = (problem: Pick<Problem, 'kind' | 'reason'>) => void;

/** Reads all tiles once; null if they do not make the root of the checkpoint. */
export async function readTree(
  files: Files,
  folder: string,
  head: SignedCheckpoint | null,
  tell: Tell,
): Promise<SignedTree | null> {
  if (head === null) return null;
  const { size } = head;
  const grown = new Growing();
  let level: Buffer[] = [];
  for (let tile = 0; tile * TILE_WIDTH < size; tile += 1) {
    const hashes = await leafTile(files, folder, tile, Math.min(TILE_WIDTH, size - tile * TILE_WIDTH), tell);
    if (hashes === null) return null;
    for (const hash of hashes) grown.add(hash);
    if (hashes.length === TILE_WIDTH) level.push(rootOf(hashes));
  }
  if (!grown.root().equals(head.root)) {
    tell({ kind: 'tile', reason: `the tree's leaves do not make the root of the checkpoint of ${size}` });
    return null;
  }
  const levels: Buffer[][] = [];
  for (let at = 1; level.length > 0; at += 1) {
    levels.push(level);
    level = await upperTiles(files, folder, at, level, tell);
  }
  return {
    size,
    rootAt: async (asked) => (asked > size ? null : rootAt(asked, nodes(files, folder, levels))),
    leaves: (from, to) => leavesOf(files, folder, from, Math.min(to, size)),
  };
}

/** Hashes of a tile of leaves, which must be those of its entry bundle. */
async function leafTile(
  files: Files,
  folder: string,
  tile: number,
  width: number,
  tell: Tell,
): Promise<readonly Buffer[] | null> {
  const hashes = await readParts(files, folder, 0, tile, width);
  const entries = await readParts(files, folder, -1, tile, width);
  if (hashes === null) tell({ kind: 'tile', reason: `\`${tilePath(0, tile, width)}\` is missing or cut` });
  if (entries === null) tell({ kind: 'tile', reason: `\`${tilePath(-1, tile, width)}\` is missing or cut` });
  for (const [at, entry] of (entries ?? []).entries()) {
    if (hashes === null || leafHash(entry).equals(hashes[at] as Buffer)) continue;
    tell({
      kind: 'tile',
      reason: `\`${tilePath(-1, tile, width)}\` and \`${tilePath(0, tile, width)}\` differ in ${at}`,
    });
    break;
  }
  return hashes;
}

/** Compares a level of tiles with the one below; returns the level above. */
async function upperTiles(
  files: Files,
  folder: string,
  level: number,
  made: readonly Buffer[],
  tell: Tell,
): Promise<Buffer[]> {
  const above: Buffer[] = [];
  for (let tile = 0; tile * TILE_WIDTH < made.length; tile += 1) {
    const hashes = made.slice(tile * TILE_WIDTH, (tile + 1) * TILE_WIDTH);
    const found = await readParts(files, folder, level, tile, hashes.length);
    if (found === null || !Buffer.concat(found).equals(Buffer.concat(hashes))) {
      tell({ kind: 'tile', reason: `\`${tilePath(level, tile, hashes.length)}\` is not what the tiles below it make` });
    }
    if (hashes.length === TILE_WIDTH) above.push(rootOf(hashes));
  }
  return above;
}

/** Hashes of nodes, from what the leaves made: an upper tile may be the one that is wrong. */
function nodes(files: Files, folder: string, levels: readonly (readonly Buffer[])[]): NodeHash {
  return async (level, index) => {
    const above = Math.floor(level / TILE_HEIGHT);
    const count = 2 ** (level % TILE_HEIGHT);
    const [from, to] = [index * count, (index + 1) * count];
    return rootOf(above === 0 ? await leavesOf(files, folder, from, to) : (levels[above - 1] ?? []).slice(from, to));
  };
}

async function leavesOf(files: Files, folder: string, from: number, to: number): Promise<readonly Buffer[]> {
  const found: Buffer[] = [];
  for (let tile = Math.floor(from / TILE_WIDTH); tile * TILE_WIDTH < to; tile += 1) {
    const start = tile * TILE_WIDTH;
    const hashes = await readParts(files, folder, 0, tile, Math.min(TILE_WIDTH, to - start));
    found.push(...(hashes ?? []).slice(Math.max(0, from - start)));
  }
  return found;
}
