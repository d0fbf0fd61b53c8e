import { basename } from 'node:path';
import type { Files, LogFile } from '../src/files.ts';
import { withRoom } from '../src/room.ts';

interface Content {
  /** What a reader sees. */
  bytes: Buffer;
  /** What survives a loss of power. */
  durable: Buffer;
  /** A sync failed: what was dirty then counts as clean, and never gets to the disk. */
  lost?: boolean;
}

const SECTOR_BYTES = 512;

export type Step = 'create' | 'append' | 'sync' | 'truncate' | 'replace' | 'write' | 'settle' | 'remove';

/**
 * A disk in memory that keeps apart what is written and what is durable, that can be full, and that fails where a test
 * tells it to. After a failed sync the pages count as clean, as on Linux: a later sync does not write them.
 */
export class FaultyDisk implements Files {
  readonly files = new Map<string, Content>();
  /** Returns the errno of a step that shall fail. */
  fault: (step: Step, name: string) => string | null = () => null;
  capacity = Number.POSITIVE_INFINITY;
  /** Whether files that are appended to durably have room made in them, as on the real disk. */
  readonly roomy: boolean;
  syncs = 0;
  syncing = 0;
  syncingMost = 0;

  constructor({ roomy = false } = {}) {
    this.roomy = roomy;
  }

  used(): number {
    let sum = 0;
    for (const { bytes } of this.files.values()) sum += bytes.length;
    return sum;
  }

  names(): readonly string[] {
    return [...this.files.keys()].map((path) => basename(path)).sort();
  }

  /**
   * The disk as it is after power was lost: of what was not durable, `kept` (0 to 1) of a file's bytes are there. Of bytes in the place of
   * others any sectors may be there, and none between them.
   */
  afterPowerLoss(kept: number | (() => number)): FaultyDisk {
    const disk = new FaultyDisk({ roomy: this.roomy });
    for (const [path, { bytes, durable }] of this.files) {
      const extra = bytes.subarray(durable.length);
      const share = typeof kept === 'number' ? kept : kept();
      const left = Buffer.concat([durable, extra.subarray(0, Math.floor(extra.length * share))]);
      for (let at = 0, sector = 0; at < durable.length; at += SECTOR_BYTES, sector += 1) {
        const isKept = (sector * 0.618_034) % 1 < share;
        if (isKept) bytes.copy(left, at, at, Math.min(at + SECTOR_BYTES, durable.length));
      }
      disk.files.set(path, { bytes: left, durable: left });
    }
    return disk;
  }

  /** The disk as the next process sees it after a kill: nothing of what was written is gone, or durable. */
  afterKill(): FaultyDisk {
    const disk = new FaultyDisk({ roomy: this.roomy });
    for (const [path, { bytes, durable }] of this.files) disk.files.set(path, { bytes, durable });
    return disk;
  }

  async ensureFolder(): Promise<void> {}

  async list(folder: string): Promise<readonly string[]> {
    return [...this.files.keys()].filter((path) => path.startsWith(`${folder}/`)).map((path) => basename(path));
  }

  async read(path: string): Promise<Buffer> {
    return Buffer.from(this.#content(path).bytes);
  }

  async readAt(path: string, offset: number, length: number): Promise<Buffer> {
    return Buffer.from(this.#content(path).bytes.subarray(offset, offset + length));
  }

  async create(path: string): Promise<LogFile> {
    this.#step('create', path);
    if (this.files.has(path)) throw failure('EEXIST', 'open');
    const content: Content = { bytes: Buffer.alloc(0), durable: Buffer.alloc(0) };
    this.files.set(path, content);
    return this.#open(path, content);
  }

  /** What is appended is written, and then durable: a loss of power comes between, and so may a failure. */
  async createDurable(path: string): Promise<LogFile> {
    const file = await this.create(path);
    if (this.roomy) {
      const content = this.#content(path);
      const write = async (bytes: Buffer, at: number): Promise<void> => {
        this.#step('append', path);
        this.#overlay(content, bytes, at);
        await file.sync();
      };
      return withRoom({ ...file, write });
    }
    const append = async (bytes: Buffer): Promise<void> => {
      await file.append(bytes);
      await file.sync();
    };
    return { ...file, append };
  }

  async reopen(path: string, length: number): Promise<LogFile> {
    const file = this.#open(path, this.#content(path));
    await file.truncate(length);
    return file;
  }

  async replace(path: string, bytes: Buffer): Promise<void> {
    this.#step('replace', path);
    const fresh = this.#fresh(path, bytes);
    fresh.durable = fresh.bytes;
    this.files.set(path, fresh);
  }

  async write(path: string, bytes: Buffer): Promise<void> {
    this.#step('write', path);
    this.files.set(path, this.#fresh(path, bytes));
  }

  async settle(paths: readonly string[]): Promise<void> {
    for (const path of paths) {
      this.#step('settle', path);
      const content = this.#content(path);
      content.durable = content.bytes;
    }
  }

  /** A new file beside the old one: both take room until it is whole. */
  #fresh(path: string, bytes: Buffer): Content {
    const fresh: Content = { bytes: Buffer.alloc(0), durable: Buffer.alloc(0) };
    this.files.set(`${path}.new`, fresh);
    try {
      this.#grow(fresh, bytes);
    } finally {
      this.files.delete(`${path}.new`);
    }
    return fresh;
  }

  async remove(path: string): Promise<void> {
    this.#step('remove', path);
    this.files.delete(path);
  }

  async removeEmpty(): Promise<void> {}

  #open(path: string, content: Content): LogFile {
    return {
      append: async (bytes) => {
        this.#step('append', path);
        this.#grow(content, bytes);
      },
      sync: async () => {
        this.syncs += 1;
        this.syncing += 1;
        this.syncingMost = Math.max(this.syncingMost, this.syncing);
        await new Promise((done) => setImmediate(done));
        this.syncing -= 1;
        const errno = this.fault('sync', basename(path));
        if (errno !== null) {
          content.lost = true;
          throw failure(errno, 'fdatasync');
        }
        if (content.lost !== true) content.durable = content.bytes;
      },
      truncate: async (length) => {
        this.#step('truncate', path);
        content.bytes = content.bytes.subarray(0, length);
        content.durable = content.durable.subarray(0, length);
      },
      close: async () => {},
    };
  }

  #overlay(content: Content, bytes: Buffer, at: number): void {
    const kept = Buffer.from(content.bytes);
    bytes.copy(kept, at);
    content.bytes = kept;
    this.#grow(content, bytes.subarray(Math.max(0, kept.length - at)));
  }

  #grow(content: Content, bytes: Buffer): void {
    const room = this.capacity - this.used();
    content.bytes = Buffer.concat([content.bytes, bytes.subarray(0, Math.max(0, room))]);
    if (bytes.length > room) throw failure('ENOSPC', 'write');
  }

  #step(step: Step, path: string): void {
    const errno = this.fault(step, basename(path));
    if (errno !== null) throw failure(errno, step);
  }

  #content(path: string): Content {
    const content = this.files.get(path);
    if (content === undefined) throw failure('ENOENT', 'open');
    return content;
  }
}

function failure(code: string, syscall: string): Error {
  return Object.assign(new Error(`${code}: ${syscall}`), { code, syscall });
}
