import type { FastifyInstance } from 'fastify';
import * as answers from '../answers.ts';
import { asking } from '../authenticate.ts';
import { RequestRefused } from '../problems.ts';
import { ConsistencyQuery, refusals, SessionParams } from '../schemas.ts';
import type { Serving } from '../serving.ts';
import { findSession } from './session.ts';

const tags = ['evidence'];

/** Routes by which somebody proves that a session is in the log, and that the log only grew. */
export function addReceiptRoutes(app: FastifyInstance, serving: Serving): void {
  addReceiptRoute(app, serving);
  addHeadRoutes(app, serving);
}

function addReceiptRoute(app: FastifyInstance, serving: Serving): void {
  app.get(
    '/v1/sessions/:session/receipt',
    {
      schema: {
        operationId: 'showReceipt',
        summary: 'What proves, without this server, that the session is in the evidence log',
        tags,
        params: SessionParams,
        response: {
          200: answers.json('A receipt', answers.Receipt),
          ...refusals('credential_required', 'session_unknown'),
        },
      },
    },
    async (request) => {
      const { session } = (await findSession(serving, request)).evidence.intent;
      return serving.evidence.receipt(session);
    },
  );
}

function addHeadRoutes(app: FastifyInstance, { evidence }: Serving): void {
  app.get(
    '/v1/evidence/checkpoint',
    {
      schema: {
        operationId: 'showCheckpoint',
        summary: 'The head of the evidence log, signed',
        tags,
        response: { 200: answers.json('A checkpoint', answers.Head), ...refusals('credential_required') },
      },
    },
    async (request) => {
      asking(request);
      return { key: evidence.key, checkpoint: evidence.checkpoint(), cosigned: evidence.cosigned() };
    },
  );
  app.get(
    '/v1/evidence/consistency',
    {
      schema: {
        operationId: 'proveConsistency',
        summary: 'Proof that the log begins with one that somebody saw before',
        tags,
        querystring: ConsistencyQuery,
        response: {
          200: answers.json('A proof', answers.Consistency),
          ...refusals('credential_required', 'checkpoint_unknown'),
        },
      },
    },
    async (request) => {
      asking(request);
      const { from } = request.query as { readonly from: string };
      const found = await evidence.consistency(Number(from));
      if (found === null) throw new RequestRefused('checkpoint_unknown', `the log never had ${from} records`);
      return { key: evidence.key, ...found };
    },
  );
}
