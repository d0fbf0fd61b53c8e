import { dirname, join } from 'node:path';
import { type Checkpoint, signCheckpoint } from './checkpoint.ts';
import type { Files } from './files.ts';
import type { NodeHash } from './merkle.ts';
import type { Signer } from './note.ts';
import type { Tiles } from './tiles.ts';

/** Where the last checkpoint lies. */
export const CHECKPOINT = 'checkpoint';

/**
 * Puts the tree of a log on the disk: tiles first, then the checkpoint that needs them. All of it can be made again from the
 * segments, so it is not made durable for each record, but before the log goes on to the segment after the next.
 */
export class Publisher {
  readonly #files: Files;
  readonly #folder: string;
  readonly #tiles: Tiles;
  readonly #origin: string;
  #signer: Signer;
  /** Who signs as soon as the record of the rotation is durable. */
  next: Signer | null = null;
  /** Size of the tree that the checkpoint on the disk covers. */
  #size = -1;
  /** Partial tiles of the last checkpoint, and of the one before: somebody may be reading by it. */
  #partial: readonly string[] = [];
  #partialBefore: readonly string[] = [];
  #unsettled = new Set<string>();
  #folders = new Set<string>();
  #running: Promise<unknown> = Promise.resolve();
  #settling: Promise<void> = Promise.resolve();

  constructor(files: Files, folder: string, tiles: Tiles, origin: string, signer: Signer) {
    this.#files = files;
    this.#folder = folder;
    this.#tiles = tiles;
    this.#origin = origin;
    this.#signer = signer;
  }

  get signer(): Signer {
    return this.#signer;
  }

  /** From here on the next key signs. */
  handOver(): void {
    this.#signer = this.next ?? this.#signer;
    this.next = null;
  }

  /** The head of the tree as it is now, signed. Only of records that are durable: the tree has no others. */
  head(): { readonly size: number; readonly note: string } {
    const { size } = this.#tiles;
    return { size, note: this.#signed({ size, root: this.#tiles.root() }) };
  }

  #signed({ size, root }: Pick<Checkpoint, 'size' | 'root'>): string {
    return signCheckpoint({ origin: this.#origin, size, root }, [this.#signer]);
  }

  /** Hashes of the tree's nodes. */
  get node(): NodeHash {
    return this.#tiles.reader(this.#files, this.#folder);
  }

  /** Resolves when the disk has the tree as it is now, or as it was a moment ago. */
  publish(): Promise<void> {
    return this.#next(() => this.#publish());
  }

  /** Resolves when what was published survives a loss of power. */
  settle(): Promise<void> {
    return this.#next(async () => {
      const paths = [...this.#unsettled];
      await Promise.all(paths.map((path) => this.#files.settle(join(this.#folder, path))));
      for (const path of paths) this.#unsettled.delete(path);
    });
  }

  /** Publishes and settles behind the writer's back: start-up leans on the tree as it is two segments before the end. */
  async settleSoon(): Promise<void> {
    await this.#settling;
    this.#settling = this.publish()
      .then(() => this.settle())
      .catch(() => undefined);
  }

  /** The last of it. What fails here is made again at the next start. */
  async finish(): Promise<void> {
    await this.publish().catch(() => undefined);
    await this.#settling;
    await this.settle().catch(() => undefined);
  }

  #next(step: () => Promise<void>): Promise<void> {
    const running = this.#running.then(step);
    this.#running = running.catch(() => undefined);
    return running;
  }

  async #publish(): Promise<void> {
    const now = this.#tiles.unpublished();
    if (now.size === this.#size) return;
    const note = this.#signed(now);
    for (const [path, bytes] of now.parts) await this.#write(path, bytes);
    await this.#files.replace(join(this.#folder, CHECKPOINT), Buffer.from(note));
    this.#tiles.published(now);
    this.#size = now.size;
    for (const path of this.#partialBefore) {
      if (now.parts.has(path) || this.#partial.includes(path)) continue;
      await this.#files.remove(join(this.#folder, path));
      this.#unsettled.delete(path);
    }
    this.#partialBefore = this.#partial;
    this.#partial = now.partial;
  }

  async #write(path: string, bytes: Buffer): Promise<void> {
    const folder = dirname(join(this.#folder, path));
    if (!this.#folders.has(folder)) {
      await this.#files.ensureFolder(folder);
      this.#folders.add(folder);
    }
    await this.#files.write(join(this.#folder, path), bytes);
    this.#unsettled.add(path);
  }
}
