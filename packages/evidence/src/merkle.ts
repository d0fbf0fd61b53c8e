import { hash } from 'node:crypto';

// The Merkle tree of RFC 6962: hashes, proofs, and the checks of proofs as RFC 9162 writes them.

/** Bytes of a hash. */
export const HASH_BYTES = 32;

/** Hash of a node that is there: `level` 0 are leaves, `index` counts from the left. */
export type NodeHash = (level: number, index: number) => Promise<Buffer>;

/** Root of a tree without leaves. */
export const EMPTY_ROOT: Buffer = hash('sha256', '', 'buffer');

/** Hash of a leaf. */
export function leafHash(entry: string | Uint8Array): Buffer {
  return hash('sha256', typeof entry === 'string' ? `\0${entry}` : Buffer.concat([LEAF, entry]), 'buffer');
}

/** Hash of two subtrees. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  return hash('sha256', Buffer.concat([NODE, left, right]), 'buffer');
}

const LEAF = Buffer.of(0);
const NODE = Buffer.of(1);

/** Root over whole subtrees of one size, of which the last may be smaller. */
export function rootOf(hashes: readonly Buffer[]): Buffer {
  if (hashes.length === 0) return EMPTY_ROOT;
  let level = hashes;
  while (level.length > 1) {
    const next: Buffer[] = [];
    for (let at = 0; at < level.length; at += 2) {
      const [left, right] = [level[at] as Buffer, level[at + 1]];
      next.push(right === undefined ? left : nodeHash(left, right));
    }
    level = next;
  }
  return level[0] as Buffer;
}

/** A tree that only grows, of which nothing is kept but the whole subtrees at its right edge: one for each bit of its size. */
export class Growing {
  size: number;
  /** Largest first. */
  readonly #peaks: Buffer[];

  constructor(size = 0, peaks: readonly Buffer[] = []) {
    this.size = size;
    this.#peaks = [...peaks];
  }

  copy(): Growing {
    return new Growing(this.size, this.#peaks);
  }

  add(leaf: Buffer): void {
    let node = leaf;
    // Each bit of the old size that the carry runs through is a subtree that is whole now.
    for (let carry = this.size; carry % 2 === 1; carry = Math.floor(carry / 2)) {
      node = nodeHash(this.#peaks.pop() as Buffer, node);
    }
    this.#peaks.push(node);
    this.size += 1;
  }

  root(): Buffer {
    if (this.size === 0) return EMPTY_ROOT;
    return this.#peaks.toReversed().reduce((right, left) => nodeHash(left, right));
  }
}

/** Hashes that prove a leaf to be in the tree of `size` leaves, the deepest first. */
export async function inclusionProof(index: number, size: number, node: NodeHash): Promise<readonly Buffer[]> {
  if (index < 0 || index >= size) throw new RangeError('the leaf is not in the tree');
  return pathTo(index, 0, size, node);
}

async function pathTo(index: number, from: number, to: number, node: NodeHash): Promise<Buffer[]> {
  if (to - from === 1) return [];
  const middle = from + splitOf(to - from);
  const [near, far] =
    index < middle
      ? [
          [from, middle],
          [middle, to],
        ]
      : [
          [middle, to],
          [from, middle],
        ];
  const below = await pathTo(index, near[0] as number, near[1] as number, node);
  return [...below, await subtree(far[0] as number, far[1] as number, node)];
}

/** Hashes that prove the tree of `to` leaves to begin with that of `from` leaves. */
export async function consistencyProof(from: number, to: number, node: NodeHash): Promise<readonly Buffer[]> {
  if (from < 0 || from > to) throw new RangeError('the tree was never larger than it is');
  return from === 0 || from === to ? [] : grownFrom(from, 0, to, true, node);
}

async function grownFrom(old: number, from: number, to: number, whole: boolean, node: NodeHash): Promise<Buffer[]> {
  if (old === to) return whole ? [] : [await subtree(from, to, node)];
  const middle = from + splitOf(to - from);
  if (old <= middle) {
    return [...(await grownFrom(old, from, middle, whole, node)), await subtree(middle, to, node)];
  }
  return [...(await grownFrom(old, middle, to, false, node)), await subtree(from, middle, node)];
}

/** Root of the leaves `[from, to)`, of whole subtrees that begin where their size divides. */
async function subtree(from: number, to: number, node: NodeHash): Promise<Buffer> {
  const count = to - from;
  const level = Math.log2(count);
  if (Number.isInteger(level)) return node(level, from / count);
  const middle = from + splitOf(count);
  return nodeHash(await subtree(from, middle, node), await subtree(middle, to, node));
}

/** Root of the first `size` leaves. */
export async function rootAt(size: number, node: NodeHash): Promise<Buffer> {
  return size === 0 ? EMPTY_ROOT : subtree(0, size, node);
}

/** The largest power of two below a number of leaves. */
function splitOf(count: number): number {
  return 2 ** (Math.ceil(Math.log2(count)) - 1);
}

/** The root that a leaf and its proof make; null if the proof has another length than its place asks for. RFC 9162, 2.1.3.2. */
export function rootFromInclusion(leaf: Buffer, index: number, size: number, proof: readonly Buffer[]): Buffer | null {
  if (!within(index, size)) return null;
  let [fn, sn, node] = [index, size - 1, leaf];
  for (const step of proof) {
    if (sn === 0) return null;
    if (fn % 2 === 1 || fn === sn) {
      node = nodeHash(step, node);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [half(fn), half(sn)];
    } else node = nodeHash(node, step);
    [fn, sn] = [half(fn), half(sn)];
  }
  return sn === 0 ? node : null;
}

/** Whether a proof shows the tree with `newRoot` to begin with that of `oldRoot`. RFC 9162, 2.1.4.2. */
export function provesConsistency(
  old: { readonly size: number; readonly root: Buffer },
  grown: { readonly size: number; readonly root: Buffer },
  proof: readonly Buffer[],
): boolean {
  if (old.size > grown.size) return false;
  if (old.size === grown.size) return proof.length === 0 && old.root.equals(grown.root);
  if (old.size === 0) return proof.length === 0 && old.root.equals(EMPTY_ROOT);
  const whole = Number.isInteger(Math.log2(old.size));
  const [first, ...steps] = whole ? [old.root, ...proof] : proof;
  if (first === undefined) return false;
  let [fn, sn] = [old.size - 1, grown.size - 1];
  while (fn % 2 === 1) [fn, sn] = [half(fn), half(sn)];
  let [before, after] = [first, first];
  for (const step of steps) {
    if (sn === 0) return false;
    if (fn % 2 === 1 || fn === sn) {
      [before, after] = [nodeHash(step, before), nodeHash(step, after)];
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [half(fn), half(sn)];
    } else after = nodeHash(after, step);
    [fn, sn] = [half(fn), half(sn)];
  }
  return sn === 0 && before.equals(old.root) && after.equals(grown.root);
}

function within(index: number, size: number): boolean {
  return Number.isSafeInteger(index) && Number.isSafeInteger(size) && index >= 0 && index < size;
}

/** Sizes may pass 2^31, where shifting is no division. */
function half(value: number): number {
  return Math.floor(value / 2);
}
