import { readFile } from 'node:fs/promises';
import fastifySwagger from '@fastify/swagger';
import Fastify, { type FastifyError, type FastifyInstance } from 'fastify';
import { KeyRing } from './keys.ts';
import { limits } from './limits.ts';
import { problem, problemOf } from './problems.ts';
import { addRoutes, requestId, type Serving } from './routes.ts';
import { type Issuer, TokenVerifier } from './tokens.ts';

export interface ServerOptions extends Omit<Serving, 'keys' | 'tokens'> {
  readonly host: string;
  readonly port: number;
  /** PEM files. Needed for any host but loopback, unless `insecure`. */
  readonly tls: { readonly certificate: string; readonly key: string } | null;
  /** Serves other hosts without TLS: something in front must provide it. */
  readonly insecure: boolean;
  /** File of hashed API keys. */
  readonly keys: string;
  readonly issuers: readonly Issuer[];
  /** Version of Ambit. */
  readonly version: string;
  readonly log: boolean;
}

export interface Server {
  readonly url: string;
  readonly app: FastifyInstance;
  /** Stops listening, lets running sessions end, returns when all have. */
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
  const app = await createApp(options);
  const url = await app.listen({ host, port });
  return { url, app, close: () => app.close() };
}

/** The API's description, as `schemas/openapi.json` keeps it. */
export async function describeApi(): Promise<object> {
  const none = { products: [], engine: undefined, evidence: undefined } as unknown as Serving;
  const app = await createApp({
    ...none,
    keys: '',
    issuers: [],
    tls: null,
    insecure: false,
    host: '',
    port: 0,
    version: '1',
    log: false,
  });
  await app.ready();
  return app.swagger();
}

/** The API without a socket. */
export async function createApp(options: ServerOptions): Promise<FastifyInstance> {
  const https =
    options.tls === null
      ? null
      : { cert: await readFile(options.tls.certificate), key: await readFile(options.tls.key) };
  const app = Fastify({
    ...(https === null ? {} : { https }),
    logger: options.log && { level: 'info', serializers },
    genReqId: requestId,
    bodyLimit: limits.bodyBytesMax,
    requestTimeout: limits.requestTimeoutMs,
    trustProxy: false,
    // A client that closes its connection ends its own sessions; others run to their end.
    forceCloseConnections: 'idle',
    http: { maxHeaderSize: limits.headerBytesMax },
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, useDefaults: false, allErrors: false } },
  } as Parameters<typeof Fastify>[0]) as unknown as FastifyInstance;
  app.server.maxConnections = limits.connectionsMax;
  app.setSerializerCompiler(() => JSON.stringify);
  // JSON alone: a form of another site can send text without asking.
  app.removeContentTypeParser('text/plain');
  const methods = collectMethods(app);
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Ambit',
        version: options.version,
        description: 'Governed data products. Every request is a session of its own.',
      },
      components: {
        securitySchemes: { bearer: { type: 'http', scheme: 'bearer', description: 'An API key or a JWT' } },
      },
      security: [{ bearer: [] }, {}],
    },
  });
  addErrors(app, methods);
  addRoutes(app, { ...options, keys: new KeyRing(options.keys), tokens: await TokenVerifier.create(options.issuers) });
  return app;
}

/** Method, id and status: never a path with parameters, a header or a body. */
const serializers = {
  req: ({ method, id }: { method: string; id: string }) => ({ method, id }),
  res: ({ statusCode }: { statusCode: number }) => ({ statusCode }),
};

/** Methods by route, as routes are added. */
function collectMethods(app: FastifyInstance): ReadonlyMap<string, Set<string>> {
  const methods = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    const known = methods.get(url) ?? new Set<string>();
    methods.set(url, known);
    for (const one of [method].flat()) if (one !== 'HEAD') known.add(one);
  });
  return methods;
}

function addErrors(app: FastifyInstance, methods: ReadonlyMap<string, ReadonlySet<string>>): void {
  app.addHook('onSend', async (_, reply) => {
    reply
      .header('x-content-type-options', 'nosniff')
      .header('content-security-policy', "default-src 'none'")
      .header('referrer-policy', 'no-referrer');
  });
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const told = problemOf(error);
    // The log gets the name of what went wrong; its message could quote what the consumer sent.
    if (told === null)
      request.log.error({ error: error.name, stack: error.stack?.split('\n').slice(1, 4) }, 'a request failed');
    const answer = told ?? problem('internal', 'the request could not be served');
    if (answer.status === 401) reply.header('www-authenticate', 'Bearer');
    if (answer.status === 429 || answer.status === 503) reply.header('retry-after', '1');
    return reply.code(answer.status).type('application/problem+json').send(answer);
  });
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0] ?? '';
    const route = [...methods].find(([url]) => new RegExp(`^${url.replaceAll(/:[a-z]+/g, '[^/]+')}$`).test(path));
    if (route === undefined) {
      return reply.code(404).type('application/problem+json').send(problem('not_found', 'there is nothing here'));
    }
    const allowed = [...route[1]].toSorted().join(', ');
    return reply
      .code(405)
      .header('allow', allowed)
      .type('application/problem+json')
      .send(problem('method_not_allowed', 'the method is not allowed here', `methods here: ${allowed}`));
  });
}
