import type { FastifyReply, FastifyRequest } from 'fastify';

/**
 * Fires when the connection is closed before its answer was written. The socket is watched, not the response: of
 * requests that were sent one after the other without waiting, only the first one's response is told.
 */
export function goneSignal({ raw: { socket } }: FastifyRequest, { raw }: FastifyReply): AbortSignal {
  const gone = new AbortController();
  const leave = (): void => gone.abort();
  socket.once('close', leave);
  raw.once('finish', () => socket.off('close', leave));
  if (socket.destroyed) gone.abort();
  return gone.signal;
}
