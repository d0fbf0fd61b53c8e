import { createServer, type Server } from 'node:http';
import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { ExportsInvalid, isLoopback } from '../config.ts';
import { limits } from '../limits.ts';
import type { Metrics } from './metrics.ts';

/** `GET /metrics` on a listener of its own. */
export interface MetricsEndpoint {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Whoever reads metrics learns how much each product is asked for which purpose. They are for operators: the listener is
 * this machine's alone, and has nothing else. Throws `ExportsInvalid`.
 */
export async function serveMetrics(
  { host, port }: { readonly host: string; readonly port: number },
  metrics: Metrics,
): Promise<MetricsEndpoint> {
  if (!isLoopback(host)) {
    const hint = 'metrics tell of all tenants: use 127.0.0.1, and a collector on this machine';
    throw new ExportsInvalid(`\`exports.prometheus.host\` is \`${host}\`, which is not this machine alone`, hint);
  }
  const serializer = new PrometheusSerializer('', false, undefined, false, true);
  const server = createServer({ requestTimeout: limits.metricsRequestMsMax }, (request, reply) => {
    const refuse = (status: number): void => void reply.writeHead(status).end();
    // A page of another site that a browser here has open must not read it by giving its own name this address.
    if (!isLoopback(hostOf(request.headers.host))) return refuse(421);
    if (request.url !== '/metrics') return refuse(404);
    if (request.method !== 'GET') return refuse(405);
    metrics.collect().then(
      ({ resourceMetrics }) => {
        reply.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
        reply.end(serializer.serialize(resourceMetrics));
      },
      () => refuse(500),
    );
  });
  server.maxConnections = limits.metricsConnectionsMax;
  await listening(server, host, port);
  const address = server.address() as { readonly port: number };
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${address.port}/metrics`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

function hostOf(header: string | undefined): string {
  return (header ?? '').replace(/:[0-9]+$/, '');
}

async function listening(server: Server, host: string, port: number): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host.replace(/^\[|\]$/g, ''), resolve);
    });
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    throw new ExportsInvalid(`metrics cannot be served on ${host}:${port} (${code})`, 'choose another port');
  }
}
