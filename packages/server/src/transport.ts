import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { randomUUID } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { tell } from './failures.ts';
import type { Limits } from './limits.ts';
import { problem, type ProblemCode, problems } from './problems.ts';

/** PEM files. */
export interface Tls {
  readonly certificate: string;
  readonly key: string;
}

/** A certificate or its key cannot be used. */
export class TlsInvalid extends Error {
  override readonly name = 'TlsInvalid';
}

/** How bytes become requests, and which never do. */
export async function httpOptions(tls: Tls | null, limits: Limits): Promise<object> {
  const http = {
    maxHeaderSize: limits.headerBytesMax,
    headersTimeout: limits.headersMsMax,
    connectionsCheckingInterval: limits.requestCheckEveryMs,
  };
  return {
    ...(tls === null
      ? { http }
      : { https: { ...http, ...(await pemOf(tls)), handshakeTimeout: limits.handshakeMsMax } }),
    genReqId: requestId,
    bodyLimit: limits.bodyBytesMax,
    requestTimeout: limits.requestMsMax,
    keepAliveTimeout: limits.idleConnectionMsMax,
    clientErrorHandler: (error: NodeJS.ErrnoException, socket: Socket) =>
      refuseBytes(error, socket, limits.refusalMsMax),
    frameworkErrors: (_: Error, request: FastifyRequest, reply: FastifyReply) =>
      tell(reply, problem('request_invalid', 'the path cannot be read'), request.id),
  };
}

async function pemOf({ certificate, key }: Tls): Promise<object> {
  const read = (path: string, what: string) =>
    readFile(path).catch((cause: NodeJS.ErrnoException) => {
      throw new TlsInvalid(`cannot read the ${what} \`${path}\`: ${cause.code}`, { cause });
    });
  return { minVersion: 'TLSv1.2', cert: await read(certificate, 'certificate'), key: await read(key, 'key') };
}

/** Requests of each connection whose answers are not over. */
const underWay = new WeakMap<Socket, Set<{ readonly request: IncomingMessage; readonly response: ServerResponse }>>();

export function protectConnections(app: FastifyInstance, limits: Limits): void {
  app.server.maxConnections = limits.connectionsMax;
  app.server.on('request', (request, response) => {
    const { socket } = request;
    const all = underWay.get(socket) ?? new Set();
    const one = { request, response };
    underWay.set(socket, all.add(one));
    response.once('close', () => all.delete(one));
  });
}

const refused: Readonly<Record<string, ProblemCode>> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
};

/** Bytes that are no request: the connection ends, with a problem where no answer to another request is in its way. */
function refuseBytes(error: NodeJS.ErrnoException, socket: Socket, refusalMsMax: number): void {
  const busy = [...(underWay.get(socket) ?? [])].some(
    ({ request, response }) => request.complete || response.headersSent,
  );
  if (busy || !socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const code = refused[error.code ?? ''] ?? 'request_invalid';
  const [status, , title] = problems[code];
  const body = JSON.stringify(problem(code, title.toLowerCase()));
  socket.setTimeout(refusalMsMax, () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${status} ${title}\r\ncontent-type: application/problem+json\r\nconnection: close\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}

/** A request's id: never the client's, which could forge another's. */
function requestId(): string {
  return `req_${randomUUID()}`;
}
