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

/** Cuts a worker's answer into frames. Ends without an outcome if the answer does. */
export async function* readFrames(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Frame, void, undefined> {
  let held: Buffer = Buffer.alloc(0);
  let kind = 0;
  let missing = 0;
  for await (const chunk of chunks) {
    let rest: Buffer =
      held.length === 0 ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength) : Buffer.concat([held, chunk]);
    held = Buffer.alloc(0);
    while (rest.length > 0) {
      if (missing === 0) {
        if (rest.length < HEADER_BYTES) break;
        kind = rest[0] as number;
        missing = rest.readUInt32BE(1);
        checkHeader(kind, missing);
        rest = rest.subarray(HEADER_BYTES);
        if (missing === 0) continue;
      }
      if (kind === DATA) {
        const part = rest.subarray(0, missing);
        rest = rest.subarray(part.length);
        missing -= part.length;
        if (part.length > 0) yield { kind: 'data', bytes: part };
        continue;
      }
      if (rest.length < missing) break;
      const text = rest.subarray(0, missing).toString('utf8');
      rest = rest.subarray(missing);
      missing = 0;
      yield { kind: kind === PLANNED ? 'planned' : 'outcome', json: JSON.parse(text) };
    }
    held = rest;
  }
  if (missing > 0 || held.length > 0) throw new FrameError('the answer ends inside a frame');
}

function checkHeader(kind: number, length: number): void {
  if (kind !== PLANNED && kind !== DATA && kind !== OUTCOME) throw new FrameError(`unknown frame kind ${kind}`);
  if (kind !== DATA && length > limits.jsonFrameBytesMax) throw new FrameError('a frame is too long');
}
