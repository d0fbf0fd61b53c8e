import { Readable } from 'node:stream';
import type { OutputFormat } from '@ambit/engine';
import type { Answer } from '@ambit/session';
import type { FastifyReply } from 'fastify';
import { tellDeprecation } from './deprecation.ts';
import { mediaTypes } from './formats.ts';
import type { Limits } from './limits.ts';
import { problemOf } from './problems.ts';

/** Streams an answer. One that fails on its way is cut: the client sees a transfer without its end, in every format. */
export function sendAnswer(
  reply: FastifyReply,
  answer: Answer,
  format: OutputFormat,
  { slowReaderMsMax }: Limits,
): FastifyReply {
  const body = Readable.from(format === 'ndjson' ? withProblem(answer.body) : answer.body, {
    objectMode: false,
    highWaterMark: 256 * 1024,
  });
  const stop = (): void => void body.destroy();
  answer.cut.addEventListener('abort', stop, { once: true });
  body.once('close', () => {
    answer.cut.removeEventListener('abort', stop);
    // A stream that was closed before anybody read it has told its generator nothing.
    answer.body.return().catch(() => undefined);
  });
  watchReader(reply, body, slowReaderMsMax);
  tellDeprecation(reply, answer.product);
  return reply
    .header('ambit-session', answer.session)
    .header('ambit-version', answer.product.version)
    .header('ambit-fingerprint', answer.fingerprint)
    .header('ambit-evidence', String(answer.evidence))
    .header('ambit-purpose', answer.purpose)
    .type(mediaTypes[format])
    .send(body);
}

/** Gives a body up when its reader goes away, or takes nothing for a while of what waits to be taken. */
function watchReader({ raw, request }: FastifyReply, body: Readable, slowReaderMsMax: number): void {
  const { socket } = request.raw;
  const leave = (): void => {
    end();
    body.destroy();
  };
  let before = -1;
  const watch = setInterval(() => {
    const taken = socket.bytesWritten - socket.writableLength;
    const waits = body.readableLength > 0 || socket.writableLength > 0;
    if (waits && taken === before) socket.destroy();
    before = taken;
  }, slowReaderMsMax);
  const end = (): void => {
    clearInterval(watch);
    socket.off('close', leave);
  };
  socket.once('close', leave);
  raw.once('finish', end);
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
