import { Readable } from 'node:stream';
import type { OutputFormat } from '@ambit/engine';
import type { Answer } from '@ambit/session';
import type { FastifyReply } from 'fastify';
import { mediaTypes } from './formats.ts';
import { limits } from './limits.ts';
import { problemOf } from './problems.ts';

/** Streams an answer. One that fails on its way is cut: the client sees a transfer without its end, in every format. */
export function sendAnswer(reply: FastifyReply, answer: Answer, format: OutputFormat): FastifyReply {
  const body = Readable.from(format === 'ndjson' ? withProblem(answer.body) : answer.body, {
    objectMode: false,
    highWaterMark: 256 * 1024,
  });
  const { socket } = reply.raw;
  let taken = -1;
  const watch = setInterval(() => {
    const written = socket?.bytesWritten ?? 0;
    // Something waits to be taken, and nothing was.
    if (written === taken && body.readableLength > 0) body.destroy();
    taken = written;
  }, limits.slowReaderMs);
  reply.raw.once('close', () => {
    clearInterval(watch);
    body.destroy();
  });
  return reply
    .header('ambit-session', answer.session)
    .header('ambit-fingerprint', answer.fingerprint)
    .header('ambit-evidence', String(answer.evidence))
    .header('ambit-purpose', answer.purpose)
    .header('cache-control', 'no-store')
    .type(mediaTypes[format])
    .send(body);
}

/** NDJSON has no end that could be missing: the last line of a failed result says so before the cut. */
async function* withProblem(body: Answer['body']): AsyncGenerator<Uint8Array, void, undefined> {
  let last: number | undefined = LINE_END;
  try {
    for await (const chunk of body) {
      last = chunk.at(-1);
      yield chunk;
    }
  } catch (error) {
    // A chunk may end inside a line: the problem gets one of its own.
    yield Buffer.from(`${last === LINE_END ? '' : '\n'}${JSON.stringify({ $problem: problemOf(error) })}\n`);
    throw error;
  }
}

const LINE_END = 10;
