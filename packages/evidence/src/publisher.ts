import { dirname, join } from 'node:path';
import { type Checkpoint, parseCheckpoint, signCheckpoint } from './checkpoint.ts';
import type { Files } from './files.ts';
import type { NodeHash } from './merkle.ts';
import type { Signer } from './note.ts';
import { findPartial, partialPaths, type Tiles } from './tiles.ts';

/** Where the last checkpoint lies. */
export const CHECKPOINT = 'checkpoint';

/** A checkpoint on the disk. */
export interface Published {
  /** Records that it covers. */
  readonly size: number;
  /** The signed note. */
  readonly note: string;
}

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
  #published: Published | null = null;
  /** The last head that this process could sign; null: it can sign the next. */
  #withheld: Published | null = null;
  /** Sizes of the last checkpoint and of the two before: somebody may be reading by them. */
  #sizes: readonly number[] = [];
  /** Other sizes that somebody reads by: their partial tiles stay. */
  pinned: readonly number[] = [];
  /** Partial tiles that are there. */
  readonly #partial = new Set<string>();
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
    if (this.next === null) return;
    this.#signer = this.next;
    this.next = null;
    this.#withheld = null;
  }

  /** Whether there is a head that this process cannot sign. */
  get withholds(): boolean {
    return this.#withheld !== null;
  }

  /** Shows the head as it is now, and no later one, until a key signs that this process has: the next is not its own to sign. */
  withhold(): void {
    this.#withheld ??= this.head();
  }

  /** What this process published last. */
  get published(): Published | null {
    return this.#published;
  }

  /** The head of the tree as it is now, signed. Only of records that are durable: the tree has no others. */
  head(): Published {
    if (this.#withheld !== null) return this.#withheld;
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

  /** Takes away partial tiles that processes before left. Those of their last checkpoint stay while somebody may read by it. */
  sweep(): Promise<void> {
    return this.#next(async () => {
      const { paths, folders } = await findPartial(this.#files, this.#folder);
      for (const path of paths) this.#partial.add(path);
      await this.#removePartial();
      for (const folder of folders) await this.#removeFolder(folder);
    });
  }

  /** Resolves when what was published survives a loss of power. */
  settle(): Promise<void> {
    return this.#next(async () => {
      const paths = [...this.#unsettled];
      await this.#files.settle(paths.map((path) => join(this.#folder, path)));
      for (const path of paths) this.#unsettled.delete(path);
    });
  }

  /** Shows the cosignatures of what was published last; of an older one they are shown elsewhere. */
  cosigned({ size, note }: Published): Promise<void> {
    return this.#next(async () => {
      if (size === this.#published?.size) await this.#files.replace(join(this.#folder, CHECKPOINT), Buffer.from(note));
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
    const before = this.#sizes[0] ?? (await this.#sizeOnDisk());
    const now = this.#tiles.unpublished();
    if (now.size === this.#published?.size || this.#withheld !== null) return;
    const note = this.#signed(now);
    for (const [path, bytes] of now.parts) await this.#write(path, bytes);
    await this.#files.replace(join(this.#folder, CHECKPOINT), Buffer.from(note));
    this.#tiles.published(now);
    this.#sizes = [now.size, before, this.#sizes[1] ?? before];
    this.#published = { size: now.size, note };
    for (const path of partialPaths(now.size)) this.#partial.add(path);
    await this.#removePartial();
  }

  /** Size of the checkpoint that a process before published. */
  async #sizeOnDisk(): Promise<number> {
    const bytes = await this.#files.read(join(this.#folder, CHECKPOINT)).catch(() => null);
    return (bytes === null ? null : parseCheckpoint(bytes.toString('utf8')))?.size ?? 0;
  }

  /** Partial tiles that nobody reads by any more. */
  async #removePartial(): Promise<void> {
    const kept = new Set([...this.#sizes, ...this.pinned].flatMap(partialPaths));
    const gone = [...this.#partial].filter((path) => !kept.has(path));
    for (const path of gone) {
      await this.#files.remove(join(this.#folder, path));
      this.#partial.delete(path);
      this.#unsettled.delete(path);
    }
    for (const folder of new Set(gone.map(dirname))) await this.#removeFolder(folder);
  }

  async #removeFolder(path: string): Promise<void> {
    const folder = join(this.#folder, path);
    this.#folders.delete(folder);
    await this.#files.removeEmpty(folder);
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
