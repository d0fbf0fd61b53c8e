import { replay, ReplayImpossible } from '@ambit/session';
import type { FastifyInstance } from 'fastify';
import * as answers from '../answers.ts';
import { asking } from '../authenticate.ts';
import { goneSignal } from '../gone.ts';
import { RequestRefused } from '../problems.ts';
import { refusals, SessionParams } from '../schemas.ts';
import type { Serving } from '../serving.ts';
import { findSession } from './session.ts';

/** Runs a session again and compares. For those who may read all of its evidence; nobody gets its rows. */
export function addReplayRoute(app: FastifyInstance, serving: Serving): void {
  app.post(
    '/v1/sessions/:session/replay',
    {
      schema: {
        operationId: 'replaySession',
        summary: 'Run a session again, and tell whether its result is the same',
        tags: ['sessions'],
        params: SessionParams,
        response: {
          200: answers.json('What the replay found', answers.Replayed),
          ...refusals(
            'credential_required',
            'session_unknown',
            'replay_refused',
            'replay_impossible',
            'media_type_unsupported',
            'policy_failed',
            'boundary_unapproved',
            'version_ended',
            'limit_concurrency',
            'limit_memory',
            'limit_spill',
            'limit_time',
            'cancelled',
            'engine_unavailable',
            'engine_crashed',
            'evidence_unavailable',
            'credential_unavailable',
            'server_stopping',
          ),
        },
      },
    },
    async (request, reply) => {
      const { evidence, whole } = await findSession(serving, request);
      if (!whole) {
        const hint = "whom the product's policies permit `readEvidence` can ask for it";
        throw new RequestRefused('replay_refused', 'a replay tells of rows that you may not see', hint);
      }
      try {
        const asked = { id: request.id, by: asking(request), signal: goneSignal(request, reply) };
        return await replay(serving, evidence, asked);
      } catch (error) {
        if (error instanceof ReplayImpossible)
          throw new RequestRefused(
            'replay_impossible',
            error.message,
            'only sessions that ended by themselves are replayed',
          );
        throw error;
      }
    },
  );
}
