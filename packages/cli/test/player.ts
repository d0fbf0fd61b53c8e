import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Writable } from 'node:stream';

import { run, type Terminal } from '../src/index.ts';

/** What a request was. */
export interface Heard {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
}

/** A server that plays one answer, and remembers what it was asked. */
export async function playing(
  play: (response: ServerResponse, heard: Heard) => void,
): Promise<{ url: string; heard: Heard[]; server: Server; [Symbol.asyncDispose]: () => Promise<void> }> {
  const heard: Heard[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      const what = {
        method: request.method ?? '',
        url: request.url ?? '',
        headers: request.headers,
        body: text === '' ? null : JSON.parse(text),
      };
      heard.push(what);
      play(response, what);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    heard,
    server,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export const json = (response: ServerResponse, value: unknown, headers: Record<string, string> = {}): void => {
  response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));
};

export const problem = (response: ServerResponse, status: number, value: unknown): void => {
  response.writeHead(status, { 'content-type': 'application/problem+json' }).end(JSON.stringify(value));
};

class Sink extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString('utf8');
    done();
  }
}

export interface Ran {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** Runs the command in this process. `interruptAfterMs` presses Ctrl-C. */
export async function ambit(
  words: readonly string[],
  {
    env = {},
    cwd = '/nonexistent',
    errIsTerminal = false,
    outIsTerminal = false,
    interruptAfterMs = null,
    question = async () => null,
    out = new Sink(),
  }: {
    readonly env?: Record<string, string>;
    readonly cwd?: string;
    readonly errIsTerminal?: boolean;
    readonly outIsTerminal?: boolean;
    readonly interruptAfterMs?: number | null;
    /** What is answered to a question; without it nobody sits there. */
    readonly question?: (text: string) => Promise<string | null>;
    readonly out?: Writable;
  } = {},
): Promise<Ran> {
  const err = new Sink();
  const terminal: Terminal = {
    out,
    err,
    errIsTerminal,
    outIsTerminal,
    env,
    cwd,
    question,
    onInterrupt(handler) {
      if (interruptAfterMs !== null) setTimeout(handler, interruptAfterMs, 'SIGINT');
      return () => {};
    },
    onHangup: () => () => {},
  };
  const status = await run(words, terminal);
  return { status, out: out instanceof Sink ? out.text : '', err: err.text };
}
