import { join } from 'node:path';
import { type Catalog, emptyIndex } from './catalog.ts';
import type { Files } from './files.ts';
import { limits } from './limits.ts';
import type { Prepared } from './prepared.ts';
import type { EvidenceRecord } from './record.ts';
import { segmentName } from './segment.ts';
import type { Store } from './store.ts';
import { recordsOf, type Segment, type Tail } from './tail.ts';

/**
 * A batch is durable when the folder's disk has it. A segment that failed once is never written again: after a failed
 * sync nobody knows what is on the disk.
 */
export class FolderStore implements Store {
  readonly #tail: Tail;
  readonly #files: Files;
  readonly #folder: string;
  readonly #catalog: Catalog;
  #reserve = false;
  /** The reserve was given up, and is not made again before the log heals. */
  #failing = false;

  constructor(tail: Tail, catalog: Catalog, files: Files, folder: string) {
    this.#tail = tail;
    this.#catalog = catalog;
    this.#files = files;
    this.#folder = folder;
  }

  async write(batch: readonly Prepared[]): Promise<readonly (EvidenceRecord | null)[]> {
    const admitted = this.#tail.admitted(batch);
    if (admitted.length === 0) return batch.map(() => null);
    const segment = await this.#writable();
    const { located, bytes } = this.#tail.encode(admitted, segment.length);
    await segment.file.append(bytes);
    this.#tail.remember(segment, located, segment.length + bytes.length);
    return recordsOf(batch, admitted, located);
  }

  /** The segment to write to: a new one where the last is full or was abandoned. */
  async #writable(): Promise<Segment> {
    const tail = this.#tail;
    if (tail.current !== null && tail.current.length < limits.segmentBytesMax) return tail.current;
    if (tail.current !== null) {
      const full = tail.current;
      tail.current = null;
      await full.file.close();
      await this.#catalog.save(full.number, full.index);
      await tail.publisher.settleSoon();
    }
    await this.#ensureReserve();
    const { number, header } = tail.header();
    const path = join(this.#folder, segmentName(number));
    // What an attempt before this one left under the name holds nothing acknowledged.
    await this.#files.remove(path);
    const file = await this.#files.createDurable(path);
    await file.append(header);
    tail.segments.push(number);
    tail.current = { number, file, index: emptyIndex(), length: header.length };
    return tail.current;
  }

  /** Room that outcomes may use when the disk is full. Real bytes: a hole would promise nothing. */
  async #ensureReserve(): Promise<void> {
    if (this.#reserve || this.#failing) return;
    const kept = await this.#files.read(this.#reservePath()).catch(() => null);
    if (kept?.length !== limits.reserveBytes) {
      await this.#files.replace(this.#reservePath(), Buffer.alloc(limits.reserveBytes, 1));
    }
    this.#reserve = true;
  }

  #reservePath(): string {
    return join(this.#folder, 'reserve');
  }

  async giveRoom(): Promise<boolean> {
    await this.#files.remove(this.#reservePath());
    this.#reserve = false;
    return true;
  }

  async abandon(): Promise<void> {
    this.#failing = true;
    const abandoned = this.#tail.current;
    this.#tail.current = null;
    if (abandoned === null) return;
    // If even this fails, the next header's `first` says where the acknowledged records end.
    await abandoned.file.truncate(abandoned.length).catch(() => undefined);
    await abandoned.file.close().catch(() => undefined);
    await this.#catalog.save(abandoned.number, abandoned.index).catch(() => undefined);
  }

  async heal(): Promise<readonly Prepared[]> {
    this.#failing = false;
    await this.#ensureReserve();
    return [];
  }

  async close(): Promise<void> {
    await this.#tail.current?.file.close();
    this.#tail.current = null;
  }
}
