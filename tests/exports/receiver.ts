import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

/** Something that was sent. */
export interface Sent {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

/** How a receiver is: it takes what comes, answers a status, says that it moved elsewhere, or never answers. */
export type Mood = 'takes' | 'hangs' | number | { readonly movedTo: string };

/** An HTTP receiver that keeps what it took. */
export interface Receiver {
  readonly url: string;
  readonly port: number;
  /** What it took. */
  readonly taken: Sent[];
  /** All that came. */
  readonly came: Sent[];
  mood: Mood;
  close(): Promise<void>;
}

export async function startReceiver(mood: Mood = 'takes', port = 0): Promise<Receiver> {
  const taken: Sent[] = [];
  const came: Sent[] = [];
  const server: Server = createServer((request, reply) => void answer(request, reply));
  const receiver: Receiver = {
    url: '',
    port: 0,
    taken,
    came,
    mood,
    close: async () => {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
  const answer = async (request: IncomingMessage, reply: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const sent = { path: request.url ?? '', headers: request.headers, text: Buffer.concat(chunks).toString('utf8') };
    came.push(sent);
    if (receiver.mood === 'hangs') return;
    if (receiver.mood === 'takes') taken.push(sent);
    if (typeof receiver.mood === 'object') return void reply.writeHead(307, { location: receiver.mood.movedTo }).end();
    reply.writeHead(receiver.mood === 'takes' ? 200 : receiver.mood).end('{}');
  };
  await new Promise<void>((listening) => server.listen(port, '127.0.0.1', listening));
  const bound = (server.address() as { port: number }).port;
  return Object.assign(receiver, { port: bound, url: `http://127.0.0.1:${bound}` });
}

/** Waits until something is so. */
export async function until<T>(what: () => T | Promise<T>, ms = 20_000): Promise<NonNullable<T>> {
  const end = Date.now() + ms;
  for (;;) {
    const found = await what();
    if (found !== false && found !== null && found !== undefined) return found;
    if (Date.now() > end) throw new Error(`it never was so: ${what.toString()}`);
    await new Promise((later) => setTimeout(later, 25));
  }
}
