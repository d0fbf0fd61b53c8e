import { randomUUID } from 'node:crypto';
import type { Engine } from '@ambit/engine';
import { type EvidenceLog, EvidenceUnavailable, type SessionEvidence } from '@ambit/evidence';
import { mayReadEvidence, type Subject } from '@ambit/policy';
import { type GivenValue, Path, type Product, Refused, type Request } from '@ambit/session';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { sendAnswer } from './answer.ts';
import { authenticate, subjectFor } from './authenticate.ts';
import { present } from './evidence.ts';
import { negotiate } from './formats.ts';
import type { KeyRing } from './keys.ts';
import { limits } from './limits.ts';
import { productDocument } from './openapi.ts';
import { RequestRefused } from './problems.ts';
import { describeProduct, visibleProducts } from './products.ts';
import {
  NamedQueryBody,
  ProductParams,
  PurposeHeader,
  QueryBody,
  QueryParams,
  refusals,
  Rows,
  SessionParams,
} from './schemas.ts';
import type { TokenVerifier } from './tokens.ts';

/** What routes are made of. */
export interface Serving {
  readonly products: readonly Product[];
  readonly engine: Engine;
  readonly evidence: EvidenceLog;
  readonly keys: KeyRing;
  readonly tokens: TokenVerifier;
}

interface Given {
  readonly sql?: string;
  readonly parameters?: Readonly<Record<string, GivenValue>>;
  readonly purpose?: string;
}

const results = {
  200: {
    description: 'The result, in the format that was asked for',
    content: {
      'application/json': { schema: Rows },
      'application/x-ndjson': { schema: { type: 'string' } },
      'text/csv': { schema: { type: 'string' } },
      'application/vnd.apache.arrow.stream': { schema: { type: 'string', format: 'binary' } },
    },
  },
  ...refusals(403, 409, 422, 429, 502, 504),
};
const json = (description: string, ...statuses: number[]) => ({
  200: { description, content: { 'application/json': { schema: { type: 'object' } } } },
  ...refusals(...statuses),
});

/** Every route. Each is a thin adapter over the one path. */
export function addRoutes(app: FastifyInstance, serving: Serving): void {
  const path = new Path(serving.products, serving.engine, serving.evidence);
  addQueryRoutes(app, serving, path);
  addNamedQueryRoutes(app, serving, path);
  addProductRoutes(app, serving);
  addSessionRoutes(app, serving);
  addCancelRoute(app, serving, path);
  addHealthRoutes(app, serving);
}

function addQueryRoutes(app: FastifyInstance, serving: Serving, path: Path): void {
  app.post(
    '/v1/products/:product/query',
    {
      schema: {
        operationId: 'query',
        summary: 'Ask a product in SQL',
        tags: ['query'],
        params: ProductParams,
        headers: PurposeHeader,
        body: QueryBody,
        response: results,
      },
    },
    async (request, reply) => {
      const { product } = request.params as { product: string };
      const given = request.body as Given & { sql: string };
      const { answer, format } = await runQuery(serving, path, request, reply, product, { sql: given.sql }, given);
      return sendAnswer(reply, answer, format);
    },
  );
}

function addNamedQueryRoutes(app: FastifyInstance, serving: Serving, path: Path): void {
  app.post(
    '/v1/products/:product/queries/:name',
    {
      schema: {
        operationId: 'runQuery',
        summary: 'Run a named query',
        tags: ['query'],
        params: QueryParams,
        headers: PurposeHeader,
        body: NamedQueryBody,
        response: results,
      },
    },
    async (request, reply) => {
      const { product, name } = request.params as { product: string; name: string };
      const { answer, format } = await runQuery(
        serving,
        path,
        request,
        reply,
        product,
        { query: name },
        request.body as Given,
      );
      return sendAnswer(reply, answer, format);
    },
  );
  app.get(
    '/v1/products/:product/queries/:name',
    {
      schema: {
        operationId: 'getQuery',
        summary: 'Run a named query, parameters in the query string',
        tags: ['query'],
        params: QueryParams,
        headers: PurposeHeader,
        response: results,
      },
    },
    async (request, reply) => {
      const { product, name } = request.params as { product: string; name: string };
      const parameters = request.query as Record<string, string | string[]>;
      const twice = Object.keys(parameters).find((key) => Array.isArray(parameters[key]));
      if (twice !== undefined) throw new RequestRefused('parameter_invalid', `parameter \`${twice}\` is given twice`);
      const { answer, format } = await runQuery(
        serving,
        path,
        request,
        reply,
        product,
        { query: name },
        { parameters: parameters as Record<string, string> },
      );
      return sendAnswer(reply, answer, format);
    },
  );
}

function addProductRoutes(app: FastifyInstance, serving: Serving): void {
  const tags = ['products'];
  app.get(
    '/v1/products',
    {
      schema: { operationId: 'listProducts', summary: 'Products that you may open', tags, response: json('Products') },
    },
    async (request) => {
      const known = await authenticate(request.headers.authorization, serving.keys, serving.tokens);
      const asked = (product: Product): Subject | null =>
        known ?? (product.boundary.anonymous === null ? null : subjectFor(null, product));
      return { products: visibleProducts(serving.products, asked) };
    },
  );
  app.get(
    '/v1/products/:product',
    {
      schema: {
        operationId: 'describeProduct',
        summary: 'What you may see with this purpose, and why',
        tags,
        params: ProductParams,
        headers: PurposeHeader,
        response: json('The product as you may see it', 403),
      },
    },
    async (request) => {
      const { product: name } = request.params as { product: string };
      const asking = await subject(serving, request, name);
      return describeProduct(productOf(serving, name), asking, purposeOf(request));
    },
  );
  app.get(
    '/v1/products/:product/openapi.json',
    {
      schema: {
        operationId: 'describeProductApi',
        summary: 'The API of this product, with its named queries',
        tags,
        params: ProductParams,
        headers: PurposeHeader,
        response: json('An OpenAPI document', 403),
      },
    },
    async (request) => {
      const { product: name } = request.params as { product: string };
      const asking = await subject(serving, request, name);
      return productDocument(app.swagger(), productOf(serving, name), asking, purposeOf(request));
    },
  );
  app.get(
    '/v1/openapi.json',
    { schema: { operationId: 'describeApi', summary: 'This API', tags, response: json('An OpenAPI document') } },
    () => app.swagger(),
  );
}

function addSessionRoutes(app: FastifyInstance, serving: Serving): void {
  const tags = ['sessions'];
  app.get(
    '/v1/sessions',
    {
      schema: {
        operationId: 'listSessions',
        summary: 'Your sessions, the newest first',
        tags,
        response: json('Sessions'),
      },
    },
    async (request) => {
      const { tenant, principal, kind } = subjectFor(
        await authenticate(request.headers.authorization, serving.keys, serving.tokens),
        undefined,
      );
      const all = await serving.evidence.sessions({ tenant, principal }, limits.sessionsListedMax);
      const found = all.filter(({ intent }) => (intent.subject as { readonly kind?: unknown }).kind === kind);
      return {
        sessions: found.map(({ intent, outcome }) => ({
          session: intent.session,
          at: intent.at,
          product: intent.product,
          purpose: intent.purpose,
          statement: intent.statement.name ?? intent.statement.sql,
          status: outcome?.status ?? 'running',
          rows: outcome?.rows ?? null,
        })),
      };
    },
  );
  app.get(
    '/v1/sessions/:session',
    {
      schema: {
        operationId: 'showSession',
        summary: 'What a session could see and did',
        tags,
        params: SessionParams,
        response: json('The evidence'),
      },
    },
    async (request) => {
      const { evidence, whole } = await findSession(serving, request);
      return present(evidence, whole);
    },
  );
}

function addCancelRoute(app: FastifyInstance, serving: Serving, path: Path): void {
  app.delete(
    '/v1/sessions/:session',
    {
      schema: {
        operationId: 'cancelSession',
        summary: 'Cancel a session',
        tags: ['sessions'],
        params: SessionParams,
        response: { 202: { description: 'It ends' }, ...refusals(409) },
      },
    },
    async (request, reply) => {
      const { evidence } = await findSession(serving, request);
      const { session } = evidence.intent;
      if (evidence.outcome === null && path.cancel(session)) return reply.code(202).send();
      throw new RequestRefused('cancelled', `session \`${session}\` has ended`);
    },
  );
}

function addHealthRoutes(app: FastifyInstance, serving: Serving): void {
  const tags = ['health'];
  app.get(
    '/health',
    { schema: { operationId: 'health', summary: 'The server is alive', tags, response: json('Alive') } },
    () => ({ status: 'alive' }),
  );
  app.get(
    '/ready',
    { schema: { operationId: 'ready', summary: 'Sessions can be opened', tags, response: json('Ready') } },
    async () => {
      const evidence = serving.evidence.failure();
      const workers = await serving.engine.health().catch(() => []);
      if (workers.length === 0) throw new RequestRefused('engine_unavailable', 'no worker can run a session now');
      if (evidence !== null) throw new EvidenceUnavailable(evidence);
      return {
        status: 'ready',
        workers: workers.map(({ engineVersion, sessions, sandbox }) => ({ engineVersion, sessions, sandbox })),
      };
    },
  );
}

async function runQuery(
  serving: Serving,
  path: Path,
  request: FastifyRequest,
  reply: FastifyReply,
  product: string,
  ask: Request['ask'],
  given: Given,
) {
  const format = negotiate(request.headers.accept);
  const answer = await path.run({
    id: request.id,
    subject: await subject(serving, request, product),
    product,
    purpose: purposeOf(request, given.purpose),
    ask,
    parameters: given.parameters ?? {},
    format,
    traceparent: traceparentOf(request),
    signal: goneSignal(reply),
  });
  return { answer, format };
}

async function findSession(
  serving: Serving,
  request: FastifyRequest,
): Promise<{ evidence: SessionEvidence; whole: boolean }> {
  const asking = subjectFor(await authenticate(request.headers.authorization, serving.keys, serving.tokens), undefined);
  const { session } = request.params as { session: string };
  const evidence = await serving.evidence.session(session);
  const right = evidence === null ? null : rightOn(serving, evidence, asking);
  if (evidence === null || right === null)
    throw new RequestRefused('session_unknown', `no session \`${session}\` for this subject`);
  return { evidence, whole: right === 'whole' };
}

async function subject(serving: Serving, request: FastifyRequest, product: string): Promise<Subject> {
  const known = await authenticate(request.headers.authorization, serving.keys, serving.tokens);
  return subjectFor(
    known,
    serving.products.find(({ boundary }) => boundary.product.name === product),
  );
}

function productOf(serving: Serving, name: string): Product {
  const found = serving.products.find(({ boundary }) => boundary.product.name === name);
  if (found !== undefined) return found;
  throw new Refused(
    'product_unknown',
    `no product \`${name}\` for this subject`,
    'list the products that you may open',
    [],
  );
}

function purposeOf(request: FastifyRequest, body?: string): string | null {
  const header = request.headers['ambit-purpose'];
  const given = typeof header === 'string' ? header : undefined;
  if (given !== undefined && body !== undefined && given !== body) {
    throw new RequestRefused(
      'request_invalid',
      'the header and the body name different purposes',
      'a session has one purpose',
    );
  }
  return body ?? given ?? null;
}

/** Fires when the connection is closed before its answer was written. */
function goneSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) gone.abort();
  });
  if (reply.raw.destroyed) gone.abort();
  return gone.signal;
}

function traceparentOf(request: FastifyRequest): string | null {
  const header = request.headers['traceparent'];
  return typeof header === 'string' && /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(header) ? header : null;
}

/** Whose evidence it is reads it; the owner's people read all of it. To all others the session is not there. */
function rightOn(serving: Serving, { intent }: SessionEvidence, asking: Subject): 'own' | 'whole' | null {
  const product = serving.products.find(({ boundary }) => boundary.product.name === intent.product);
  if (product !== undefined && mayReadEvidence(product.policies, asking, null).allowed) return 'whole';
  const owner = intent.subject as { readonly tenant: string; readonly principal: string; readonly kind: string };
  const own = owner.tenant === asking.tenant && owner.principal === asking.principal && owner.kind === asking.kind;
  return own && asking.kind !== 'anonymous' ? 'own' : null;
}

/** A request's id: never the client's, which could forge another's. */
export function requestId(): string {
  return `req_${randomUUID()}`;
}
