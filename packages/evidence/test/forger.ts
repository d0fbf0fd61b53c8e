import { generateKeyPairSync } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { canonical } from '../src/canonical.ts';
import { originOf, signCheckpoint } from '../src/checkpoint.ts';
import { entryOf } from '../src/entry.ts';
import { Growing, leafHash } from '../src/merkle.ts';
import { verifierKey } from '../src/note.ts';
import type { EvidenceRecord, Json } from '../src/record.ts';
import { Tiles } from '../src/tiles.ts';
import { verifyLog } from '../src/verify.ts';
import { forge } from './support.ts';

// What somebody can do who writes to the folder, and has not the key.

/** Lines of a segment, without its header. */
export function split(text: string): { readonly header: string; readonly lines: string[] } {
  const [header = '', ...lines] = text.split('\n');
  return { header, lines: lines.slice(0, -1) };
}

/** Says something else in a record, with a digest that fits. */
export function say(line: string | undefined, change: { readonly [key: string]: Json }): string {
  return forge({ ...(JSON.parse((line ?? '').slice(65)) as object), ...change }).trimEnd();
}

/** Takes the tree and the checkpoint to what the segments say now, signed by a key of the forger's own. */
export async function resign(folder: string): Promise<void> {
  const { log } = await verifyLog(folder);
  const { privateKey } = generateKeyPairSync('ed25519');
  const origin = originOf(log ?? '');
  const own = { name: origin, key: privateKey };
  const tiles = new Tiles();
  const grown = new Growing();
  for (const name of (await readdir(folder)).filter((found) => found.endsWith('.segment')).sort()) {
    const path = join(folder, name);
    const { header: text, lines: found } = split(await readFile(path, 'utf8'));
    const root = { origin, size: grown.size, root: grown.root() };
    const changed = { ...(JSON.parse(text) as object), checkpoint: signCheckpoint(root, [own]), key: verifierKey(own) };
    for (const [at, line] of found.entries()) {
      const record = JSON.parse(line.slice(65)) as EvidenceRecord;
      const renamed = record.type === 'log.opened' ? say(line, { key: verifierKey(own) }) : line;
      found[at] = renamed;
      const entry = entryOf(record, renamed.slice(0, 64));
      tiles.add(entry);
      grown.add(leafHash(entry));
    }
    await writeFile(path, [canonical(changed), ...found, ''].join('\n'));
  }
  const { parts, size, root } = tiles.unpublished();
  for (const [path, bytes] of parts) await writeFile(join(folder, path), bytes);
  await writeFile(join(folder, 'checkpoint'), signCheckpoint({ origin, size, root }, [own]));
}
