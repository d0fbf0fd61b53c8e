import { once } from 'node:events';
import { createServer, connect, type Socket } from 'node:net';

/** A network between a server and its database, which a test can cut. */
export interface Proxy {
  readonly port: number;
  /** What the database answers is thrown away from now on, or delivered. */
  deaf: boolean;
  /** What is sent either way takes so long. */
  delayMs: number;
  /** Keeps what is sent either way, as where one end is paused. What it gives delivers it, in order. */
  hold(): () => void;
  /** Cuts every connection; while it is `down` there are no new ones. */
  cut(): void;
  down: boolean;
  close(): Promise<void>;
}

export async function startProxy(to: number): Promise<Proxy> {
  const sockets = new Set<Socket>();
  let held: (() => void)[] | null = null;
  const server = createServer((near) => {
    if (proxy.down) {
      near.destroy();
      return;
    }
    const far = connect(to, '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        (socket === near ? far : near).destroy();
      });
    }
    const later = (send: () => void): void => {
      if (held !== null) held.push(send);
      else if (proxy.delayMs === 0) send();
      else setTimeout(send, proxy.delayMs);
    };
    near.on('data', (chunk) => later(() => far.write(chunk)));
    far.on('data', (chunk) => {
      if (!proxy.deaf) later(() => near.write(chunk));
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy: Proxy = {
    port: (server.address() as { port: number }).port,
    deaf: false,
    delayMs: 0,
    down: false,
    hold: () => {
      held = [];
      return () => {
        for (const send of held ?? []) send();
        held = null;
      };
    },
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
    close: async () => {
      proxy.cut();
      server.close();
      await once(server, 'close');
    },
  };
  return proxy;
}
