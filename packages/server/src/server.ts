import type { Engine } from '@ambit/engine';
import type { EvidenceLog } from '@ambit/evidence';
import { type Drifts, noDrifts, type Offer, Path, type Product, Served } from '@ambit/session';
import Fastify, { type FastifyInstance } from 'fastify';
import { addBreakGlass } from './break-glass.ts';
import { addAuthentication } from './authenticate.ts';
import { addFailures } from './failures.ts';
import { KeyRing } from './keys.ts';
import { type Limits, limits } from './limits.ts';
import { addDescription } from './openapi.ts';
import { RequestRefused } from './problems.ts';
import { addRoutes } from './routes.ts';
import type { Serving } from './serving.ts';
import { type Issuer, TokenVerifier } from './tokens.ts';
import { httpOptions, protectConnections, type Tls } from './transport.ts';

export interface ServerOptions {
  readonly products: readonly Product[];
  readonly engine: Engine;
  readonly evidence: EvidenceLog;
  /** Tables that are closed. Default: none. */
  readonly drifts?: Drifts;
  readonly host: string;
  readonly port: number;
  /** PEM files. Needed for any host but loopback, unless `insecure`. */
  readonly tls: Tls | null;
  /** Serves other hosts without TLS: something in front must provide it. */
  readonly insecure: boolean;
  /** File of hashed API keys. */
  readonly keys: string;
  readonly issuers: readonly Issuer[];
  /** Version of Ambit. */
  readonly version: string;
  /** Told of faults of the server itself. What it is told holds nothing that a consumer sent or may see. */
  readonly log: (message: string) => void;
  /** Other limits than the usual ones. */
  readonly limits?: Partial<Limits>;
}

export interface Server {
  readonly url: string;
  readonly app: FastifyInstance;
  /** What is served now. */
  readonly served: Served;
  /**
   * Makes ready what a reload needs of the server, and changes nothing yet. What it gives puts an offer and these issuers in
   * the place of those that are there, both at once, and resolves when no session uses the ones before any more.
   */
  prepare(issuers: readonly Issuer[]): Promise<(offer: Offer) => Promise<void>>;
  /** Takes no more requests, lets running sessions end for a while, then ends them. Returns when all have. */
  close(): Promise<void>;
}

/** Credentials would cross the network in clear. */
export class InsecureListen extends Error {
  override readonly name = 'InsecureListen';
}

const LOOPBACK = ['127.0.0.1', '::1', 'localhost'];

/** Starts the HTTP API. Throws `InsecureListen` for another host than loopback without TLS. */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { host, port, tls, insecure } = options;
  if (!LOOPBACK.includes(host) && tls === null && !insecure) {
    throw new InsecureListen(`\`${host}\` is not this machine alone, and there is no TLS`);
  }
  const serving = await servingOf(options);
  const app = await createApp(options, serving);
  const url = await app.listen({ host, port });
  return {
    url,
    app,
    served: serving.served,
    prepare: async (issuers) => {
      const tokens = await serving.tokens.with(issuers);
      return (offer) => {
        serving.tokens = tokens;
        return serving.served.replace(offer);
      };
    },
    close: () => drain(app, serving),
  };
}

async function drain(app: FastifyInstance, { path, limits: { drainMsMax, drainGraceMs } }: Serving): Promise<void> {
  const late = setTimeout(() => path.cancelAll('the server, which was told to stop'), drainMsMax);
  // Whoever does not even take what there is by then is not waited for.
  const later = setTimeout(() => app.server.closeAllConnections(), drainMsMax + drainGraceMs);
  try {
    await app.close();
  } finally {
    clearTimeout(late);
    clearTimeout(later);
  }
}

/** The API's description, as `schemas/openapi.json` keeps it. */
export async function describeApi(): Promise<object> {
  const none = { products: [], engine: undefined, evidence: undefined } as unknown as ServerOptions;
  const options = { ...none, keys: '', issuers: [], tls: null, version: '1', log: () => {} };
  const app = await createApp(options, await servingOf(options));
  await app.ready();
  return app.swagger();
}

async function servingOf(options: ServerOptions): Promise<Serving> {
  const { products, engine, evidence, drifts = noDrifts } = options;
  const served = new Served({ products, engine });
  return {
    served,
    get products() {
      return served.now.products;
    },
    get engine() {
      return served.now.engine;
    },
    evidence,
    drifts,
    path: new Path(served, evidence, drifts),
    keys: new KeyRing(options.keys),
    tokens: await TokenVerifier.create(options.issuers),
    limits: { ...limits, ...options.limits },
  };
}

/** The API without a socket. */
async function createApp(options: ServerOptions, serving: Serving): Promise<FastifyInstance> {
  const app = Fastify({
    ...(await httpOptions(options.tls, serving.limits)),
    trustProxy: false,
    // A client that closes its connection ends its own sessions; others run to their end.
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, useDefaults: false, formats: { sql: true } } },
  } as Parameters<typeof Fastify>[0]) as unknown as FastifyInstance;
  app.setSerializerCompiler(() => JSON.stringify);
  // JSON alone: a form of another site can send text without asking.
  app.removeContentTypeParser('text/plain');
  protectConnections(app, serving.limits);
  addFailures(app, options.log);
  refuseWhenStopping(app);
  addAuthentication(app, serving);
  addBreakGlass(app, serving);
  await addDescription(app, options.version);
  addRoutes(app, serving);
  return app;
}

/** A connection that is kept may still ask. */
function refuseWhenStopping(app: FastifyInstance): void {
  let stopping = false;
  app.addHook('preClose', async () => {
    stopping = true;
  });
  app.addHook('onRequest', async (_, reply) => {
    if (!stopping) return;
    reply.header('connection', 'close');
    throw new RequestRefused('server_stopping', 'the server is stopping', 'try again later');
  });
}
