import type { Files } from './files.ts';
import { limits } from './limits.ts';

/** A line that is whole, without its end. */
export interface Line {
  readonly line: Buffer;
  /** Bytes from the file's start to where it begins. */
  readonly start: number;
  /** And to where the next one does. */
  readonly next: number;
}

/** The whole lines of a file from an offset on. Somebody may be writing the file: it ends where the last whole line does. */
export async function* readLines(files: Files, path: string, from: number): AsyncGenerator<Line, void, undefined> {
  let offset = from;
  let length: number = limits.readBytes;
  for (;;) {
    const bytes = await files.readAt(path, offset, length);
    let at = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, at)) {
      const start = at;
      at = end + 1;
      yield { line: bytes.subarray(start, end), start: offset + start, next: offset + at };
    }
    // No line begins with a zero: it is room that nothing was written to.
    if (bytes.length < length || bytes[at] === 0) return;
    offset += at;
    // A line that is longer than what was read.
    length = at === 0 ? length * 2 : limits.readBytes;
  }
}
