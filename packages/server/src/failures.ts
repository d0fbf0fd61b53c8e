import type { FastifyError, FastifyInstance, FastifyReply } from 'fastify';
import { type Problem, problem, problemOf } from './problems.ts';

/** Every answer that is no success, as a problem; and what every answer says to whoever shows it. */
export function addFailures(app: FastifyInstance, log: (message: string) => void): void {
  const methods = collectMethods(app);
  app.addHook('onSend', async (request, reply) => {
    reply
      .header('ambit-request', request.id)
      .header('cache-control', 'no-store')
      .header('x-content-type-options', 'nosniff')
      .header('content-security-policy', "default-src 'none'")
      .header('referrer-policy', 'no-referrer');
  });
  // Before a body is read: nobody will look at it.
  app.addHook('onRequest', async (request, reply) => {
    if (request.is404) return notFound(reply, methods, request.url);
    return undefined;
  });
  app.setNotFoundHandler((request, reply) => notFound(reply, methods, request.url));
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const told = problemOf(error);
    if (told === null || told.code === 'internal' || told.code === 'identity_unavailable')
      log(`request ${request.id}: ${faultOf(error)}${told?.session ? `, session ${told.session}` : ''}`);
    return tell(reply, told ?? problem('internal', 'the request could not be served'), request.id);
  });
}

/** Where something went wrong. An error's message could quote what a consumer sent: only errors of the system have theirs told. */
function faultOf(error: Error): string {
  const cause = (error.cause ?? error) as NodeJS.ErrnoException;
  const what = cause.code === undefined ? cause.name : `${cause.name} ${cause.code}`;
  const where = cause.stack?.split('\n').find((line) => /^\s+at /.test(line));
  return `${what}${where === undefined ? '' : ` ${where.trim()}`}`;
}

/** Sends a problem. */
export function tell(reply: FastifyReply, told: Problem, request: string): FastifyReply {
  if (told.code === 'credential_required') reply.header('www-authenticate', 'Bearer');
  if (told.code === 'credential_invalid') reply.header('www-authenticate', 'Bearer error="invalid_token"');
  if (told.status === 429 || told.status === 503) reply.header('retry-after', '1');
  return reply
    .header('ambit-request', request)
    .code(told.status)
    .type('application/problem+json')
    .send(JSON.stringify(told));
}

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

function notFound(reply: FastifyReply, methods: ReadonlyMap<string, ReadonlySet<string>>, url: string): FastifyReply {
  const path = url.split('?')[0] ?? '';
  const { id } = reply.request;
  const route = [...methods].find(([pattern]) => new RegExp(`^${pattern.replaceAll(/:[a-z]+/g, '[^/]+')}$`).test(path));
  if (route === undefined) return tell(reply, problem('not_found', 'there is nothing here'), id);
  const allowed = [...route[1]].toSorted().join(', ');
  reply.header('allow', allowed);
  return tell(reply, problem('method_not_allowed', 'the method is not allowed here', `methods here: ${allowed}`), id);
}
