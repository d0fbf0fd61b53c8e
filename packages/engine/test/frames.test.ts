import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Frame, FrameError, readFrames } from '../src/index.ts';

const kinds = { planned: 1, data: 2, outcome: 3 } as const;

type Written =
  | { readonly kind: 'planned' | 'outcome'; readonly json: unknown }
  | { readonly kind: 'data'; readonly bytes: Uint8Array };

function written(frame: Written): Buffer {
  const payload = frame.kind === 'data' ? Buffer.from(frame.bytes) : Buffer.from(JSON.stringify(frame.json));
  const header = Buffer.alloc(5);
  header[0] = kinds[frame.kind];
  header.writeUInt32BE(payload.length, 1);
  return Buffer.concat([header, payload]);
}

async function* inChunks(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (let turn = 0; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? bytes.length;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

/** Data frames may come in parts: what they add up to is what counts. */
async function read(chunks: AsyncIterable<Uint8Array>): Promise<readonly Written[]> {
  const frames: Written[] = [];
  let data: Buffer[] = [];
  const flush = (): void => {
    if (data.length > 0) frames.push({ kind: 'data', bytes: Buffer.concat(data) });
    data = [];
  };
  for await (const frame of readFrames(chunks) as AsyncIterable<Frame>) {
    if (frame.kind === 'data') data.push(Buffer.from(frame.bytes));
    else {
      flush();
      frames.push(frame);
    }
  }
  flush();
  return frames;
}

const json = fc.record({
  kind: fc.constantFrom('planned' as const, 'outcome' as const),
  json: fc.json({ maxDepth: 2 }).map((text): unknown => JSON.parse(text)),
});
const bytes = fc.record({ kind: fc.constant('data' as const), bytes: fc.uint8Array({ maxLength: 300 }) });
const frames = fc.array(fc.oneof(json, bytes), { maxLength: 8 });
const sizes = fc.array(fc.integer({ min: 1, max: 64 }), { minLength: 1, maxLength: 6 });

/** What a reader gets of these: neighbouring data is one, and JSON is what JSON says. */
function expected(all: readonly Written[]): readonly Written[] {
  const merged: Written[] = [];
  for (const frame of all) {
    const last = merged.at(-1);
    if (frame.kind !== 'data') merged.push({ kind: frame.kind, json: JSON.parse(JSON.stringify(frame.json)) });
    else if (frame.bytes.length === 0) continue;
    else if (last?.kind === 'data')
      merged[merged.length - 1] = { kind: 'data', bytes: Buffer.concat([last.bytes, frame.bytes]) };
    else merged.push({ kind: 'data', bytes: Buffer.from(frame.bytes) });
  }
  return merged;
}

describe('frames of a worker', () => {
  it('are the same however their bytes are cut', async () => {
    await fc.assert(
      fc.asyncProperty(frames, sizes, async (all, cut) => {
        const wire = Buffer.concat(all.map(written));
        expect(await read(inChunks(wire, cut))).toEqual(expected(all));
      }),
    );
  });

  it('that end early are an error, wherever they end', async () => {
    const wire = Buffer.concat([
      written({ kind: 'data', bytes: Buffer.from('rows') }),
      written({ kind: 'outcome', json: { status: 'completed' } }),
    ]);
    for (let length = 1; length < wire.length; length += 1) {
      if (length === 9) continue;
      await expect(read(inChunks(wire.subarray(0, length), [3]))).rejects.toThrow(FrameError);
    }
    // Between two frames: that there is no outcome is for the session to say.
    expect(await read(inChunks(wire.subarray(0, 9), [3]))).toHaveLength(1);
  });

  it('of a kind that nobody knows are an error', async () => {
    await expect(read(inChunks(Buffer.from([9, 0, 0, 0, 0]), [5]))).rejects.toThrow('unknown frame kind 9');
  });

  it('that are not JSON where they must be are an error', async () => {
    await expect(read(inChunks(Buffer.from([3, 0, 0, 0, 1, 0x7b]), [6]))).rejects.toThrow('a frame is not JSON');
  });

  it('that promise more JSON than any outcome has are refused before it comes', async () => {
    await expect(read(inChunks(Buffer.from([3, 0xff, 0xff, 0xff, 0xff]), [5]))).rejects.toThrow('a frame is too long');
  });

  it('hold a long outcome that comes in small pieces', async () => {
    const text = 'x'.repeat(8 * 2 ** 20);
    const [frame] = await read(inChunks(written({ kind: 'outcome', json: { text } }), [4_096]));
    expect(frame).toEqual({ kind: 'outcome', json: { text } });
  });
});
