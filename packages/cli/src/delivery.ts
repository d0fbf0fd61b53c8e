import { createWriteStream, renameSync, rmSync } from 'node:fs';
import { finished } from 'node:stream/promises';
import type { Writable } from 'node:stream';

import type { ResultFormat } from './api.ts';
import type { Answer } from './connection.ts';
import { CliError, exitCodes } from './failure.ts';

/**
 * Writes an answer's bytes as they come, no faster than they are taken. Throws `incomplete` when the answer ends before
 * its result does: the connection broke, or the format's own mark of the end is missing.
 */
export async function deliver(
  answer: Answer,
  format: ResultFormat,
  to: Writable,
  progress: (bytes: number) => void,
): Promise<void> {
  let tail: Buffer = Buffer.alloc(0);
  await eachChunk(answer, async (chunk) => {
    progress(chunk.length);
    tail = Buffer.concat([tail, chunk]).subarray(-tailBytes);
    await write(to, chunk);
  });
  if (!endsWhole(format, tail)) throw incomplete(null);
}

/** Reads an answer whole, as text. Throws `incomplete` as {@link deliver} does. */
export async function readWhole(answer: Answer, progress: (bytes: number) => void): Promise<string> {
  const chunks: Buffer[] = [];
  await eachChunk(answer, (chunk) => {
    progress(chunk.length);
    chunks.push(chunk);
  });
  return Buffer.concat(chunks).toString('utf8');
}

async function eachChunk(answer: Answer, take: (chunk: Buffer) => void | Promise<void>): Promise<void> {
  const chunks = answer.body[Symbol.asyncIterator]();
  try {
    for (;;) {
      let next: IteratorResult<Buffer>;
      try {
        next = await chunks.next();
      } catch (cause) {
        throw incomplete(cause);
      }
      if (next.done === true) return;
      await take(next.value);
    }
  } finally {
    // Whoever stops reading lets the server know, which cancels the session.
    answer.body.destroy();
  }
}

function write(to: Writable, chunk: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    to.write(chunk, (error) => (error ? reject(error) : resolve()));
  });
}

/** The failure of an answer that is not whole. */
export function incomplete(cause: unknown): CliError {
  return new CliError(
    exitCodes.incomplete,
    'the answer broke off: what came is not the whole result',
    "the session's evidence says why: `ambit session explain --last`",
    { cause },
  );
}

const tailBytes = 64;
const arrowEnd = Buffer.from([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);

/**
 * Whether the last bytes are those of a result that completed. NDJSON and CSV have no mark of their own: there a broken
 * connection is the mark of a failure.
 */
function endsWhole(format: ResultFormat, tail: Buffer): boolean {
  if (format === 'arrow') return tail.subarray(-arrowEnd.length).equals(arrowEnd);
  if (format === 'json') return /"complete"\s*:\s*true\s*\}\s*$/.test(tail.toString('latin1'));
  return true;
}

/**
 * Runs `fill` on a file that takes its name only when it is whole: an incomplete result is not left under the name that
 * was asked for.
 */
export async function intoFile(path: string, fill: (to: Writable) => Promise<void>): Promise<void> {
  const partial = `${path}.partial`;
  const stream = createWriteStream(partial);
  try {
    await fill(stream);
    stream.end();
    await finished(stream);
    renameSync(partial, path);
  } catch (cause) {
    stream.destroy();
    rmSync(partial, { force: true });
    if (cause instanceof CliError) throw cause;
    throw new CliError(exitCodes.failed, `cannot write \`${path}\`: ${(cause as Error).message}`, null, { cause });
  }
}
