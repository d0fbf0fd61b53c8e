import { join } from 'node:path';
import { disk, type LogPlace, logStart } from '@ambit/evidence';

/** Up to where a log was delivered, in a file of its own. */
export class Cursor {
  readonly #path: string;
  readonly #log: string;
  #saved: number;
  place: LogPlace;

  private constructor(path: string, log: string, place: LogPlace) {
    this.#path = path;
    this.#log = log;
    this.#saved = place.seq;
    this.place = place;
  }

  /** Without a file, with one that is no cursor, or with another log's: from the beginning. What comes twice is harmless. */
  static async open(folder: string, log: string): Promise<Cursor> {
    await disk.ensureFolder(folder);
    const path = join(folder, 'openlineage.cursor');
    const text = await disk.read(path).then(
      (bytes) => bytes.toString('utf8'),
      () => '',
    );
    return new Cursor(path, log, placeOf(text, log) ?? logStart);
  }

  /** Makes it durable where it has moved. */
  async save(): Promise<void> {
    const { place } = this;
    if (place.seq === this.#saved) return;
    await disk.replace(this.#path, Buffer.from(`${JSON.stringify({ log: this.#log, ...place })}\n`));
    this.#saved = place.seq;
  }
}

function placeOf(text: string, log: string): LogPlace | null {
  try {
    const { log: of, segment, offset, seq } = JSON.parse(text) as Partial<LogPlace> & { readonly log?: unknown };
    const places = [segment, offset, seq];
    if (of !== log || !places.every((value) => Number.isSafeInteger(value) && (value as number) >= 0)) return null;
    return { segment: segment as number, offset: offset as number, seq: seq as number };
  } catch {
    return null;
  }
}
