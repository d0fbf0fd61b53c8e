import { join } from 'node:path';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { type EvidenceLog, type ReadableSegment, readableSegments, readRecords } from '@ambit/evidence';
import { limits } from '../limits.ts';
import { type Built, findBuilt, markBuilt, segmentPart } from './built.ts';
import {
  makeFolders,
  type PartFiles,
  PartWriter,
  publish,
  SERVED,
  withdraw,
  writeDocument,
  writeRows,
} from './parts.ts';
import { type Derivable, Projection } from './projection.ts';
import type { Row } from './rows.ts';
import { type Stamp, stampOf } from './stamp.ts';

/** The tables of the evidence, as files beside the log: derived from it, and built again when they are not there. */
export interface EvidenceTables {
  /**
   * Resolves when the tables hold every record before a `seq`. What it gives must be called when the session that reads
   * them has ended: until then no file of them goes away.
   */
  ready(before: number): Promise<() => void>;
  /** Other settings are served from now on. Resolves when new sessions see them. */
  serve(settings: readonly Row[]): Promise<void>;
  close(): Promise<void>;
}

/** Where the tables of a log lie. */
export function tablesFolder(log: string): string {
  return join(log, 'tables');
}

/** Opens the tables of a log that this process has opened. What is missing is built behind the back of its sessions. */
export async function openEvidenceTables(options: {
  /** Folder of the log. */
  readonly folder: string;
  readonly log: Pick<EvidenceLog, 'session'>;
  /** Settings of the products that are served now. */
  readonly served: readonly Row[];
  /** Told of what keeps the tables from being built. */
  readonly report: (message: string) => void;
  /** Told when their folder had to be made anew: whoever may read the old one may not read this. */
  readonly replaced?: () => Promise<void>;
}): Promise<EvidenceTables> {
  const { folder, log, served, report, replaced = async () => {} } = options;
  const builder = await Builder.open({ folder, projection: new Projection(log), served, report, replaced });
  const look = (): void => {
    builder.look().catch((error: Error) => report(`the tables of the evidence are behind the log: ${error.message}`));
  };
  const timer = setInterval(look, limits.tablesIntervalMs);
  timer.unref();
  look();
  return {
    ready: (before) => builder.ready(before),
    serve: (settings) => builder.serve(settings),
    close: async () => {
      clearInterval(timer);
      await builder.close();
    },
  };
}

interface BuilderOptions {
  readonly folder: string;
  readonly projection: Projection;
  readonly served: readonly Row[];
  readonly report: (message: string) => void;
  readonly replaced: () => Promise<void>;
}

/** A segment of which the tables hold a part. */
interface Begun {
  /** Offset of the next record. */
  offset: number;
  /** Names of the files that hold what came before. */
  parts: readonly string[];
  /** How many names there have been: none is given twice. */
  named: number;
}

/**
 * Builds one thing at a time. Files are only ever added while somebody reads: rows of a later state are hidden from
 * earlier sessions by policy (`before`). Files go away, for one that holds the same rows, when nobody reads.
 */
class Builder {
  readonly #options: BuilderOptions;
  readonly #folder: string;
  readonly #root: string;
  readonly #projection: Projection;
  #served: readonly Row[];
  #built: Built = { segments: new Set(), documents: new Set() };
  readonly #begun = new Map<number, Begun>();
  /** The folders as this left them; null when it left them halfway. */
  #stamp: Stamp | null = null;
  /** The folder that workers may read. */
  #allowed = '';
  #last: Promise<unknown> = Promise.resolve();
  #looking = false;
  #closed = false;
  #readers = 0;
  /** Sessions that wait to be readers. */
  #waiting = 0;
  #noReader = (): void => {};

  private constructor(options: BuilderOptions) {
    this.#options = options;
    this.#folder = options.folder;
    this.#served = options.served;
    this.#root = tablesFolder(options.folder);
    this.#projection = options.projection;
  }

  static async open(options: BuilderOptions): Promise<Builder> {
    const builder = new Builder(options);
    await builder.#find();
    builder.#stamp = await stampOf(builder.#root);
    builder.#allowed = builder.#stamp.root;
    return builder;
  }

  /** Takes what is there and whole, and nothing else. */
  async #find(): Promise<void> {
    await makeFolders(this.#root);
    this.#built = await findBuilt(this.#root, await readableSegments(this.#folder));
    this.#begun.clear();
    await writeRows(this.#root, SERVED, 'now', this.#served);
  }

  /** What somebody else removed would be missing in answers: the tables are built again, when nobody reads them. */
  async #hold(): Promise<void> {
    const [left, found] = [this.#stamp, await stampOf(this.#root)];
    if (found.root === left?.root && found.tables === left.tables) return;
    if (!(await this.#unread())) throw new Error('the server is stopping');
    if (left !== null) this.#options.report('somebody else changed the tables of the evidence: they are built again');
    await this.#find();
    const { root } = await stampOf(this.#root);
    if (root === this.#allowed) return;
    await this.#options.replaced();
    this.#allowed = root;
  }

  /** Changes the tables, which must be as they were left. What fails halfway is cleared away before the next change. */
  async #changing(work: () => Promise<void>): Promise<void> {
    await this.#hold();
    this.#stamp = null;
    await work();
    this.#stamp = await stampOf(this.#root);
  }

  ready(before: number): Promise<() => void> {
    this.#waiting += 1;
    return this.#next(async () => {
      await this.#changing(() => this.#build(before)).finally(() => {
        this.#waiting -= 1;
      });
      this.#readers += 1;
      let reading = true;
      return () => {
        if (!reading) return;
        reading = false;
        this.#readers -= 1;
        if (this.#readers === 0) this.#noReader();
      };
    });
  }

  /** Puts other settings where those that are served stand. The file is another: nobody may be reading it. */
  serve(settings: readonly Row[]): Promise<void> {
    return this.#next(async () => {
      if (!(await this.#unread())) return;
      await this.#changing(() => writeRows(this.#root, SERVED, 'now', settings));
      this.#served = settings;
    });
  }

  /** Builds what is closed, and makes one of many parts. */
  async look(): Promise<void> {
    if (this.#looking || this.#closed) return;
    this.#looking = true;
    try {
      await this.#next(async () => {
        await this.#forget();
        await this.#changing(() => this.#build(0));
        await this.#unite();
      });
    } finally {
      this.#looking = false;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#noReader();
    await this.#last;
  }

  #next<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#last.then(work);
    this.#last = next.catch(() => undefined);
    return next;
  }

  /** All closed segments, and the records of the last one before a `seq`. */
  async #build(before: number): Promise<void> {
    for (const segment of await readableSegments(this.#folder)) {
      if (this.#built.segments.has(segment.segment)) continue;
      if (segment.until === null && before === 0) continue;
      const begun = this.#begun.get(segment.segment);
      if (segment.until !== null && begun === undefined) await this.#buildWhole(segment);
      else await this.#extend(segment, begun ?? this.#begin(segment), segment.until ?? before);
    }
  }

  #begin({ segment, start }: ReadableSegment): Begun {
    const begun: Begun = { offset: start, parts: [], named: 0 };
    this.#begun.set(segment, begun);
    return begun;
  }

  async #buildWhole(segment: ReadableSegment): Promise<void> {
    const name = segmentPart(segment.segment);
    const part = await this.#project(segment, segment.start, { seq: segment.until ?? 0 }, name);
    await publish(this.#root, name, part.files);
    await this.#mark(segment, part);
  }

  async #mark(segment: ReadableSegment, { files, documents }: Part): Promise<void> {
    await markBuilt(this.#root, segment, files, documents);
    this.#built.segments.add(segment.segment);
  }

  async #extend(segment: ReadableSegment, begun: Begun, before: number): Promise<void> {
    begun.named += 1;
    const name = partName(segment, begun.named);
    const { files, next } = await this.#project(segment, begun.offset, { seq: before }, name);
    await publish(this.#root, name, files);
    begun.offset = next;
    if (Object.keys(files).length > 0) begun.parts = [...begun.parts, name];
  }

  /** A grant or boundary that nobody has a session with yet is in nobody's sight: it may be there early. */
  async #ensure({ name, rows }: Derivable): Promise<void> {
    if (this.#built.documents.has(name)) return;
    await writeDocument(this.#root, name, rows());
    this.#built.documents.add(name);
  }

  /** Rows of segments that the log has removed for their age go too, when nobody reads them. */
  async #forget(): Promise<void> {
    const there = new Set((await readableSegments(this.#folder)).map(({ segment }) => segment));
    if ([...this.#built.segments, ...this.#begun.keys()].every((segment) => there.has(segment))) return;
    if (await this.#unread()) await this.#changing(() => this.#find());
  }

  /** Makes the parts of a segment one where it is closed, or where there are many. */
  async #unite(): Promise<void> {
    for (const segment of await readableSegments(this.#folder)) {
      const begun = this.#begun.get(segment.segment);
      if (begun === undefined) continue;
      const closed = segment.until !== null;
      if (!closed && begun.parts.length < limits.partsMax) continue;
      if (this.#readers > 0 && begun.parts.length < limits.partsWaitedForMax) continue;
      if (!(await this.#unread())) return;
      await this.#changing(async () => {
        if (this.#begun.get(segment.segment) === begun) await this.#replace(segment, begun);
      });
    }
  }

  /** One file in place of many. When it fails halfway, all of them go, and the segment is built anew. */
  async #replace(segment: ReadableSegment, begun: Begun): Promise<void> {
    const closed = segment.until !== null;
    begun.named += 1;
    const name = closed ? segmentPart(segment.segment) : partName(segment, begun.named);
    const part = await this.#project(segment, segment.start, { offset: begun.offset }, name);
    this.#begun.delete(segment.segment);
    await withdraw(this.#root, begun.parts);
    await publish(this.#root, name, part.files);
    if (closed) await this.#mark(segment, part);
    else this.#begun.set(segment.segment, { ...begun, parts: [name] });
  }

  /** Whoever comes meanwhile waits behind this. False: it was closed before. */
  async #unread(): Promise<boolean> {
    while (this.#readers > 0 && !this.#closed) {
      await new Promise<void>((resolve) => {
        this.#noReader = resolve;
      });
    }
    return !this.#closed;
  }

  /** Rows of the records from an offset on, before a `seq` or another offset, in files that no table has yet. */
  async #project(
    segment: ReadableSegment,
    from: number,
    end: { readonly seq?: number; readonly offset?: number },
    name: string,
  ): Promise<Part> {
    const documents = new Set<string>();
    const writer = new PartWriter(this.#root, name);
    let next = from;
    let since = performance.now();
    try {
      const { seq = Number.POSITIVE_INFINITY, offset = Number.POSITIVE_INFINITY } = end;
      for await (const read of readRecords(this.#folder, segment, from, seq)) {
        if (this.#closed) throw new Error('the server is stopping');
        if (read.next > offset) break;
        const derived = await this.#projection.derive(read.record);
        await writer.add(derived.rows);
        for (const document of derived.documents) {
          await this.#ensure(document);
          documents.add(document.name);
        }
        next = read.next;
        if (performance.now() - since < limits.buildingMs) continue;
        await (this.#waiting > 0 ? setImmediate() : setTimeout(limits.buildingPauseMs));
        since = performance.now();
      }
      return { files: await writer.finish(), documents, next };
    } finally {
      await writer.abandon();
    }
  }
}

/** Rows in files that no table has yet. */
interface Part {
  readonly files: PartFiles;
  /** Names of the grants and boundaries that they speak of, which are in their tables. */
  readonly documents: ReadonlySet<string>;
  /** Offset of the next record. */
  readonly next: number;
}

function partName({ segment }: ReadableSegment, part: number): string {
  return `${segmentPart(segment)}-${String(part).padStart(6, '0')}`;
}
