import { limits } from './limits.ts';

/** Numbers of `FrameKind` on the wire: see crates/protocol/src/frame.rs. */
const PLANNED = 1;
const DATA = 2;
const OUTCOME = 3;
const HEADER_BYTES = 5;

/** A frame, or a part of a data frame: data is passed on as it arrives, without copying. */
export type Frame =
  | { readonly kind: 'planned'; readonly json: unknown }
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  | { readonly kind: 'outcome'; readonly json: unknown };

/** The bytes are not frames. The worker is not to be trusted any further. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
}

/** Cuts a worker's answer into frames. Ends without an outcome if the answer does. Throws `FrameError`. */
export async function* readFrames(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Frame, void, undefined> {
  const held = new Held();
  let open: { readonly kind: number; missing: number } | null = null;
  for await (const chunk of chunks) {
    held.push(chunk);
    for (;;) {
      if (open === null) {
        if (held.length < HEADER_BYTES) break;
        open = openFrame(held.take(HEADER_BYTES));
      }
      if (open.kind === DATA) {
        const part = held.takeSome(open.missing);
        open.missing -= part.length;
        if (part.length > 0) yield { kind: 'data', bytes: part };
        if (open.missing > 0) break;
      } else {
        if (held.length < open.missing) break;
        const json = parse(held.take(open.missing));
        yield { kind: open.kind === PLANNED ? 'planned' : 'outcome', json };
      }
      open = null;
    }
  }
  if (open !== null || held.length > 0) throw new FrameError('the answer ends inside a frame');
}

/** Bytes that came and were not taken. What is large comes in many chunks: they are joined once. */
class Held {
  #chunks: Buffer[] = [];
  length = 0;

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#chunks.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    this.length += chunk.length;
  }

  /** Exactly so many bytes, which are there. */
  take(length: number): Buffer {
    const all = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks, this.length);
    this.#chunks = all.length === length ? [] : [all.subarray(length)];
    this.length -= length;
    return all.subarray(0, length);
  }

  /** At most so many bytes of the first chunk, without copying. */
  takeSome(length: number): Buffer {
    const first = this.#chunks[0];
    if (first === undefined || length === 0) return Buffer.alloc(0);
    const part = first.subarray(0, length);
    if (part.length === first.length) this.#chunks.shift();
    else this.#chunks[0] = first.subarray(part.length);
    this.length -= part.length;
    return part;
  }
}

function openFrame(header: Buffer): { readonly kind: number; missing: number } {
  const kind = header[0] as number;
  const missing = header.readUInt32BE(1);
  if (kind !== PLANNED && kind !== DATA && kind !== OUTCOME) throw new FrameError(`unknown frame kind ${kind}`);
  if (kind !== DATA && missing > limits.jsonFrameBytesMax) throw new FrameError('a frame is too long');
  return { kind, missing };
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    throw new FrameError('a frame is not JSON');
  }
}
