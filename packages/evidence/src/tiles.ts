import { join } from 'node:path';
import type { Files } from './files.ts';
import { Growing, HASH_BYTES, leafHash, type NodeHash, rootOf } from './merkle.ts';

// The tree as C2SP tlog-tiles lays it into files: a tile has the hashes of 256 subtrees, an entry bundle 256 leaves. The last
// tile of a level is partial, and has its width in its name.

/** Hashes of a tile, entries of a bundle. */
export const TILE_WIDTH = 256;
/** Levels of the tree between two levels of tiles. */
export const TILE_HEIGHT = 8;

/** Path of a tile, of `level` -1 an entry bundle. `width` below 256 is a partial one's. */
export function tilePath(level: number, index: number, width: number = TILE_WIDTH): string {
  const digits = String(index).padStart(Math.ceil(String(index).length / 3) * 3, '0');
  const groups = digits.match(/.{3}/g) ?? [];
  const name = groups.map((group, at) => (at === groups.length - 1 ? group : `x${group}`)).join('/');
  return `tile/${level < 0 ? 'entries' : level}/${name}${width === TILE_WIDTH ? '' : `.p/${width}`}`;
}

/** Paths of the partial tiles of a tree, its partial bundle among them. */
export function partialPaths(size: number): readonly string[] {
  const paths: string[] = [];
  for (let level = -1, count = size; count > 0; level += 1) {
    const width = count % TILE_WIDTH;
    if (width > 0) paths.push(tilePath(level, Math.floor(count / TILE_WIDTH), width));
    if (level >= 0) count = Math.floor(count / TILE_WIDTH);
  }
  return paths;
}

/** Every partial tile and bundle of a folder, and the folders that are for them. */
export async function findPartial(
  files: Files,
  folder: string,
): Promise<{ readonly paths: readonly string[]; readonly folders: readonly string[] }> {
  const paths: string[] = [];
  const folders: string[] = [];
  const look = async (within: string): Promise<void> => {
    for (const name of await files.list(join(folder, within)).catch(() => [])) {
      const path = `${within}/${name}`;
      if (/^x[0-9]{3}$/.test(name)) await look(path);
      if (!/^[0-9]{3}\.p$/.test(name)) continue;
      folders.push(path);
      for (const width of await files.list(join(folder, path)).catch(() => [])) paths.push(`${path}/${width}`);
    }
  };
  for (const level of await files.list(join(folder, 'tile')).catch(() => [])) {
    if (/^(entries|[0-9])$/.test(level)) await look(`tile/${level}`);
  }
  return { paths, folders };
}

/** Entries of a bundle; null if it is none. */
export function parseBundle(bytes: Buffer): readonly Buffer[] | null {
  const entries: Buffer[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    if (offset + 2 > bytes.length) return null;
    const end = offset + 2 + bytes.readUInt16BE(offset);
    if (end > bytes.length) return null;
    entries.push(bytes.subarray(offset + 2, end));
    offset = end;
  }
  return entries;
}

/** A bundle of entries. */
export function bundleOf(entries: readonly Buffer[]): Buffer {
  return Buffer.concat(entries.map(prefixed));
}

/** Hashes of a tile; null if it is none. */
export function parseTile(bytes: Buffer): readonly Buffer[] | null {
  if (bytes.length % HASH_BYTES !== 0) return null;
  return Array.from({ length: bytes.length / HASH_BYTES }, (_, at) =>
    bytes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES),
  );
}

/** A tile or bundle of at least `width` parts, whole or partial, cut to `width`; null if there is none. */
export async function readParts(
  files: Files,
  folder: string,
  level: number,
  index: number,
  width: number,
): Promise<readonly Buffer[] | null> {
  const whole = join(folder, tilePath(level, index));
  const parsed = async (path: string): Promise<readonly Buffer[] | null> => {
    const bytes = await files.read(path).catch(() => null);
    const parts = bytes === null ? null : level < 0 ? parseBundle(bytes) : parseTile(bytes);
    return parts === null || parts.length < width ? null : parts.slice(0, width);
  };
  const found = await parsed(whole);
  if (found !== null) return found;
  const partial = await files.list(`${whole}.p`).catch(() => []);
  for (const at of partial.map(Number).filter((one) => one >= width && one < TILE_WIDTH)) {
    const parts = await parsed(join(`${whole}.p`, String(at)));
    if (parts !== null) return parts;
  }
  return null;
}

/** What is to be written for a checkpoint: see `Tiles.published`. */
export interface Unpublished {
  readonly size: number;
  readonly root: Buffer;
  readonly parts: ReadonlyMap<string, Buffer>;
}

/** The tree of a log that is written. In memory are its right edge, and what no checkpoint on the disk covers yet. */
export class Tiles {
  size = 0;
  /** Of each level the last tile, which is not whole yet. Level 0 of `#edges` are the leaves. */
  readonly #edges: Buffer[][] = [[]];
  #bundle: Buffer[] = [];
  #whole = new Map<string, Buffer>();

  /** The tree of the first `size` leaves, as it lies in the folder; null if what lies there is not whole. */
  static async restore(files: Files, folder: string, size: number): Promise<Tiles | null> {
    const tiles = new Tiles();
    tiles.size = size;
    for (let level = -1, count = size; level < 0 || count > 0; level += 1) {
      const width = count % TILE_WIDTH;
      const found = width === 0 ? [] : await readParts(files, folder, level, Math.floor(count / TILE_WIDTH), width);
      if (found === null) return null;
      if (level < 0) tiles.#bundle = found.map(prefixed);
      else {
        tiles.#edges[level] = [...found];
        count = Math.floor(count / TILE_WIDTH);
      }
    }
    return tiles;
  }

  add(entry: string): void {
    this.#bundle.push(prefixed(Buffer.from(entry)));
    const index = Math.floor(this.size / TILE_WIDTH);
    this.size += 1;
    if (this.#bundle.length === TILE_WIDTH) {
      this.#whole.set(tilePath(-1, index), Buffer.concat(this.#bundle));
      this.#bundle = [];
    }
    this.#grow(0, leafHash(entry), index);
  }

  #grow(level: number, hash: Buffer, index: number): void {
    const edge = (this.#edges[level] ??= []);
    edge.push(hash);
    if (edge.length < TILE_WIDTH) return;
    this.#whole.set(tilePath(level, index), Buffer.concat(edge));
    this.#edges[level] = [];
    this.#grow(level + 1, rootOf(edge), Math.floor(index / TILE_WIDTH));
  }

  root(): Buffer {
    let right: Buffer | null = null;
    for (const edge of this.#edges) {
      const hashes: readonly Buffer[] = right === null ? edge : [...edge, right];
      if (hashes.length > 0) right = rootOf(hashes);
    }
    return right ?? rootOf([]);
  }

  /** The same tree, without what its parts need. */
  growing(): Growing {
    return new Growing(this.size, this.#edges.toReversed().flatMap(peaksOf));
  }

  /** All parts that the disk has to have before a checkpoint of today's size may be there. */
  unpublished(): Unpublished {
    const parts = new Map(this.#whole);
    const add = (level: number, index: number, width: number, bytes: Buffer): void => {
      parts.set(tilePath(level, index, width), bytes);
    };
    const bundles = Math.floor(this.size / TILE_WIDTH);
    if (this.#bundle.length > 0) add(-1, bundles, this.#bundle.length, Buffer.concat(this.#bundle));
    let tiles = bundles;
    for (const [level, edge] of this.#edges.entries()) {
      if (edge.length > 0) add(level, tiles, edge.length, Buffer.concat(edge));
      tiles = Math.floor(tiles / TILE_WIDTH);
    }
    return { size: this.size, root: this.root(), parts };
  }

  /** Whole tiles that wait. */
  get waiting(): number {
    return this.#whole.size;
  }

  /** These parts are on the disk. */
  published({ parts }: Unpublished): void {
    for (const path of parts.keys()) this.#whole.delete(path);
  }

  /** Hashes of nodes, from memory or from the folder. */
  reader(files: Files, folder: string): NodeHash {
    return async (level, index) => {
      const tileLevel = Math.floor(level / TILE_HEIGHT);
      const count = 2 ** (level % TILE_HEIGHT);
      const tile = Math.floor((index * count) / TILE_WIDTH);
      const at = (index * count) % TILE_WIDTH;
      const hashes = await this.#hashes(files, folder, tileLevel, tile, at + count);
      return rootOf(hashes.slice(at, at + count));
    };
  }

  async #hashes(files: Files, folder: string, level: number, index: number, width: number): Promise<readonly Buffer[]> {
    const edge = Math.floor(this.size / TILE_WIDTH ** (level + 1));
    if (index === edge) return this.#edges[level] ?? [];
    const waiting = this.#whole.get(tilePath(level, index));
    const found = waiting === undefined ? await readParts(files, folder, level, index, width) : parseTile(waiting);
    if (found === null) throw new Error(`the log has no \`${tilePath(level, index)}\``);
    return found;
  }
}

/** Whole subtrees of a last tile, the largest first. */
function peaksOf(edge: readonly Buffer[]): readonly Buffer[] {
  const peaks: Buffer[] = [];
  let at = 0;
  for (let width = TILE_WIDTH / 2; width >= 1; width /= 2) {
    if (edge.length - at < width) continue;
    peaks.push(rootOf(edge.slice(at, at + width)));
    at += width;
  }
  return peaks;
}

function prefixed(entry: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(2 + entry.length);
  bytes.writeUInt16BE(entry.length);
  entry.copy(bytes, 2);
  return bytes;
}
