import type { GivenValue, Request } from '@ambit/session';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { sendAnswer } from '../answer.ts';
import { result, Rows } from '../answers.ts';
import { asking } from '../authenticate.ts';
import { negotiate } from '../formats.ts';
import { goneSignal } from '../gone.ts';
import { type ProblemCode, RequestRefused } from '../problems.ts';
import { purposeOf } from '../purpose.ts';
import { NamedQueryBody, ProductParams, PurposeHeader, QueryBody, QueryParams, refusals } from '../schemas.ts';
import type { Serving } from '../serving.ts';

/** What a body gives beside the statement. */
export interface Given {
  readonly parameters?: Readonly<Record<string, GivenValue>>;
  readonly purpose?: string;
}

/** Every way in which a session is refused or fails. */
export const sessionFailures: readonly ProblemCode[] = [
  'credential_required',
  'product_unknown',
  'version_ended',
  'purpose_required',
  'purpose_refused',
  'policy_failed',
  'boundary_unapproved',
  'parameter_invalid',
  'not_acceptable',
  'http_version_unsupported',
  'server_stopping',
  'sql_syntax',
  'statement_refused',
  'statement_too_complex',
  'table_unknown',
  'column_unknown',
  'function_unknown',
  'sql_invalid',
  'claim_missing',
  'plan_refused',
  'compute_failed',
  'source_failed',
  'limit_memory',
  'limit_spill',
  'limit_rows',
  'limit_bytes',
  'limit_time',
  'limit_concurrency',
  'cancelled',
  'engine_unavailable',
  'engine_crashed',
  'evidence_unavailable',
  'credential_unavailable',
];
export const bodyRefusals: readonly ProblemCode[] = ['body_too_large', 'request_timeout', 'media_type_unsupported'];

/** Routes that open a session. */
export function addQueryRoutes(app: FastifyInstance, serving: Serving): void {
  const tags = ['query'];
  app.post(
    '/v1/products/:product/query',
    {
      config: { access: 'contract' },
      schema: {
        operationId: 'query',
        summary: 'Ask a product in SQL',
        tags,
        params: ProductParams,
        headers: PurposeHeader,
        body: QueryBody,
        response: { 200: result(Rows), ...refusals(...sessionFailures, ...bodyRefusals) },
      },
    },
    (request, reply) => {
      const { sql, ...given } = request.body as Given & { readonly sql: string };
      return answer(serving, request, reply, { sql }, given);
    },
  );
  app.post(
    '/v1/products/:product/queries/:name',
    {
      config: { access: 'contract' },
      schema: {
        operationId: 'runQuery',
        summary: 'Run a named query',
        tags,
        params: QueryParams,
        headers: PurposeHeader,
        body: NamedQueryBody,
        response: { 200: result(Rows), ...refusals(...sessionFailures, ...bodyRefusals, 'query_unknown') },
      },
    },
    (request, reply) => answer(serving, request, reply, named(request), request.body as Given),
  );
  app.get(
    '/v1/products/:product/queries/:name',
    {
      config: { access: 'contract' },
      // A session that nobody reads.
      exposeHeadRoute: false,
      schema: {
        operationId: 'getQuery',
        summary: 'Run a named query, parameters in the query string',
        tags,
        params: QueryParams,
        headers: PurposeHeader,
        response: { 200: result(Rows), ...refusals(...sessionFailures, 'query_unknown') },
      },
    },
    (request, reply) => answer(serving, request, reply, named(request), { parameters: fromUrl(request) }),
  );
}

/** The named query of a request's path. */
export function named({ params }: FastifyRequest): Request['ask'] {
  return { query: (params as { readonly name: string }).name };
}

/** Parameters as a query string gives them. */
export function fromUrl({ query }: FastifyRequest): Readonly<Record<string, string>> {
  const parameters = query as Readonly<Record<string, string | string[]>>;
  const twice = Object.keys(parameters).find((key) => Array.isArray(parameters[key]));
  if (twice !== undefined) throw new RequestRefused('parameter_invalid', `parameter \`${twice}\` is given twice`);
  return parameters as Readonly<Record<string, string>>;
}

/** Opens a session on a product and sends what it answers. */
export async function answer(
  { path, limits }: Serving,
  request: FastifyRequest,
  reply: FastifyReply,
  ask: Request['ask'],
  given: Given,
  product = (request.params as { readonly product: string }).product,
): Promise<FastifyReply> {
  const format = negotiate(request.headers.accept, request.raw.httpVersion);
  const got = await path.run({
    id: request.id,
    subject: asking(request),
    product,
    purpose: purposeOf(request, given.purpose),
    ask,
    parameters: given.parameters ?? {},
    parametersFrom: request.method === 'GET' ? 'url' : 'json',
    format,
    traceparent: traceparentOf(request),
    signal: goneSignal(request, reply),
  });
  return sendAnswer(reply, got, format, limits);
}

function traceparentOf({ headers }: FastifyRequest): string | null {
  const header = headers['traceparent'];
  return typeof header === 'string' && /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(header) ? header : null;
}
