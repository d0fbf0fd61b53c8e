import { describe, expect, it } from 'vitest';
import {
  consistencyProof,
  EMPTY_ROOT,
  Growing,
  inclusionProof,
  leafHash,
  nodeHash,
  type NodeHash,
  provesConsistency,
  rootAt,
  rootFromInclusion,
} from '../src/merkle.ts';
import { parseBundle, parseTile, tilePath, Tiles } from '../src/tiles.ts';
import { fc, test } from './properties.ts';

/** Merkle Tree Hash, as RFC 6962 defines it. */
function defined(leaves: readonly string[]): Buffer {
  if (leaves.length === 0) return EMPTY_ROOT;
  if (leaves.length === 1) return leafHash(leaves[0] as string);
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return nodeHash(defined(leaves.slice(0, split)), defined(leaves.slice(split)));
}

const entries = (size: number): readonly string[] => Array.from({ length: size }, (_, at) => `entry ${at}`);

const nodeOf =
  (leaves: readonly string[]): NodeHash =>
  async (level, index) =>
    defined(leaves.slice(index * 2 ** level, (index + 1) * 2 ** level));

describe('the tree', () => {
  it('has the roots of the examples of RFC 6962 logs', () => {
    const grown = new Growing();
    // The test vectors that implementations of certificate transparency share.
    const inputs = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
    for (const input of inputs) grown.add(leafHash(Buffer.from(input, 'hex')));
    expect(EMPTY_ROOT.toString('hex')).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    expect(grown.root().toString('hex')).toBe('5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328');
  });

  test(fc.nat(700), 'grows to the root that the definition gives, in memory and in tiles', (size) => {
    const leaves = entries(size);
    const [grown, tiles] = [new Growing(), new Tiles()];
    for (const leaf of leaves) {
      grown.add(leafHash(leaf));
      tiles.add(leaf);
    }
    expect(grown.root()).toEqual(defined(leaves));
    expect(tiles.root()).toEqual(defined(leaves));
  });

  it('is the same, to the hash, above 256 times 256 leaves', () => {
    const [grown, tiles] = [new Growing(), new Tiles()];
    for (const leaf of entries(66_000)) {
      grown.add(leafHash(leaf));
      tiles.add(leaf);
    }
    expect(tiles.root()).toEqual(grown.root());
    const paths = [...tiles.unpublished().parts.keys()];
    for (const path of [
      'tile/0/255',
      'tile/0/256',
      'tile/0/257.p/208',
      'tile/1/000',
      'tile/1/001.p/1',
      'tile/2/000.p/1',
    ]) {
      expect(paths).toContain(path);
    }
  });
});

describe('a proof', () => {
  it('of a leaf holds for that leaf, at that place, and for nothing else', async () => {
    for (const size of [1, 2, 3, 5, 8, 13, 31, 32, 33]) {
      const leaves = entries(size);
      const root = defined(leaves);
      for (let index = 0; index < size; index += 1) {
        const proof = await inclusionProof(index, size, nodeOf(leaves));
        const leaf = leafHash(leaves[index] as string);
        expect(rootFromInclusion(leaf, index, size, proof)).toEqual(root);
        expect(rootFromInclusion(leafHash('another'), index, size, proof)).not.toEqual(root);
        if (size > 1) expect(rootFromInclusion(leaf, (index + 1) % size, size, proof)).not.toEqual(root);
        expect(rootFromInclusion(leaf, index, size, [...proof, root])).toBeNull();
      }
    }
  });

  it('of growth holds between any two sizes, and for no other tree', async () => {
    const leaves = entries(40);
    for (let old = 0; old <= 40; old += 1) {
      for (const size of [old, old + 1, 37, 40].filter((one) => one >= old && one <= 40)) {
        const proof = await consistencyProof(old, size, nodeOf(leaves.slice(0, size)));
        const from = { size: old, root: await rootAt(old, nodeOf(leaves)) };
        const to = { size, root: await rootAt(size, nodeOf(leaves)) };
        expect(provesConsistency(from, to, proof), `${old} to ${size}`).toBe(true);
        const forked = { size, root: defined([...leaves.slice(0, size - 1), 'another']) };
        if (old > 0) expect(provesConsistency(from, forked, proof), `${old} to another ${size}`).toBe(false);
        const other = { size: old, root: defined([...leaves.slice(0, old - 1), 'another']) };
        if (old > 0 && old < size) expect(provesConsistency(other, to, proof), `another ${old}`).toBe(false);
      }
    }
  });
});

describe('tiles', () => {
  it('have the paths of the standard', () => {
    expect(tilePath(0, 0)).toBe('tile/0/000');
    expect(tilePath(0, 1234067)).toBe('tile/0/x001/x234/067');
    expect(tilePath(1, 999, 7)).toBe('tile/1/999.p/7');
    expect(tilePath(-1, 1000, 255)).toBe('tile/entries/x001/000.p/255');
  });

  it('and bundles that are cut are none', () => {
    expect(parseTile(Buffer.alloc(31))).toBeNull();
    expect(parseBundle(Buffer.from([0, 3, 1, 2]))).toBeNull();
    expect(parseBundle(Buffer.from([0]))).toBeNull();
    expect(parseBundle(Buffer.from([0, 1, 7, 0, 0]))).toEqual([Buffer.of(7), Buffer.alloc(0)]);
  });
});
