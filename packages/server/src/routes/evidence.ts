import { EVIDENCE, productUnknown } from '@ambit/session';
import type { FastifyInstance } from 'fastify';
import * as answers from '../answers.ts';
import { asking } from '../authenticate.ts';
import { describeProduct } from '../products.ts';
import { purposeOf } from '../purpose.ts';
import { EvidenceQueryParams, PurposeHeader, QueryBody, refusals } from '../schemas.ts';
import { productNamed, type Serving } from '../serving.ts';
import { answer, bodyRefusals, fromUrl, type Given, named, sessionFailures } from './query.ts';

/** The product `evidence` under a name of its own. The same sessions, on the one path. */
export function addEvidenceRoutes(app: FastifyInstance, serving: Serving): void {
  const tags = ['evidence'];
  app.get(
    '/v1/evidence',
    {
      schema: {
        operationId: 'describeEvidence',
        summary: 'What you may see of what sessions could see and did',
        tags,
        headers: PurposeHeader,
        response: {
          200: answers.json('The product as you may see it', answers.Product),
          ...refusals('credential_required', 'product_unknown', 'purpose_required', 'purpose_refused', 'policy_failed'),
        },
      },
    },
    (request) => {
      const product = productNamed(serving, EVIDENCE);
      if (product === undefined) throw productUnknown(EVIDENCE);
      return describeProduct(product, asking(request), purposeOf(request), serving.drifts.closed(product));
    },
  );
  app.post(
    '/v1/evidence/query',
    {
      schema: {
        operationId: 'queryEvidence',
        summary: 'Ask in SQL what sessions could see and did',
        tags,
        headers: PurposeHeader,
        body: QueryBody,
        response: { 200: answers.result(answers.Rows), ...refusals(...sessionFailures, ...bodyRefusals) },
      },
    },
    (request, reply) => {
      const { sql, ...given } = request.body as Given & { readonly sql: string };
      return answer(serving, request, reply, { sql }, given, EVIDENCE);
    },
  );
  app.get(
    '/v1/evidence/queries/:name',
    {
      // A session that nobody reads.
      exposeHeadRoute: false,
      schema: {
        operationId: 'getEvidenceQuery',
        summary: 'Run a named query over the evidence, parameters in the query string',
        tags,
        params: EvidenceQueryParams,
        headers: PurposeHeader,
        response: { 200: answers.result(answers.Rows), ...refusals(...sessionFailures, 'query_unknown') },
      },
    },
    (request, reply) => answer(serving, request, reply, named(request), { parameters: fromUrl(request) }, EVIDENCE),
  );
}
