import type { SessionEvidence } from '@ambit/evidence';
import { mayReadEvidence, type Subject } from '@ambit/policy';
import { isServed, productThen, reveal, subjectOn } from '@ambit/session';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import * as answers from '../answers.ts';
import { asking } from '../authenticate.ts';
import { present } from '../evidence.ts';
import { RequestRefused } from '../problems.ts';
import { refusals, SessionParams } from '../schemas.ts';
import type { Serving } from '../serving.ts';

/** Routes that look back at sessions, and end them. */
export function addSessionRoutes(app: FastifyInstance, serving: Serving): void {
  const tags = ['sessions'];
  app.get(
    '/v1/sessions',
    {
      schema: {
        operationId: 'listSessions',
        summary: 'Your sessions, the newest first',
        tags,
        response: { 200: answers.json('Sessions', answers.Sessions), ...refusals('credential_required') },
      },
    },
    (request) => listSessions(serving, asking(request)),
  );
  app.get(
    '/v1/sessions/:session',
    {
      schema: {
        operationId: 'showSession',
        summary: 'What a session could see and did',
        tags,
        params: SessionParams,
        response: {
          200: answers.json('The evidence', answers.Session),
          ...refusals('credential_required', 'session_unknown'),
        },
      },
    },
    async (request) => {
      const { evidence, whole } = await findSession(serving, request);
      return present(await reveal(evidence, serving.evidence), whole);
    },
  );
  app.delete(
    '/v1/sessions/:session',
    {
      schema: {
        operationId: 'cancelSession',
        summary: 'Cancel a session',
        tags,
        params: SessionParams,
        response: {
          202: { description: 'It ends' },
          ...refusals('credential_required', 'session_unknown', 'session_ended'),
        },
      },
    },
    async (request, reply) => {
      const { evidence } = await findSession(serving, request);
      const { session } = evidence.intent;
      const { tenant, principal } = asking(request);
      if (serving.path.cancel(session, `${principal} of ${tenant}`)) return reply.code(202).send();
      throw notHere(evidence);
    },
  );
}

/** The sessions of a subject, each with its statement as far as that can be read. */
async function listSessions({ evidence, limits }: Serving, { tenant, principal, kind }: Subject): Promise<object> {
  const found = await evidence.sessions({ tenant, principal, kind }, limits.sessionsListedMax);
  const revealed = await Promise.all(found.map((one) => reveal(one, evidence)));
  return {
    sessions: revealed.map(({ evidence: { intent, outcome } }) => ({
      session: intent.session,
      at: intent.at,
      product: intent.product,
      purpose: intent.purpose,
      statement: intent.statement.name ?? intent.statement.sql,
      status: outcome?.status ?? 'running',
      rows: outcome?.rows ?? null,
    })),
  };
}

/** Servers may share a log, and then a session may run on another. */
function notHere({ intent: { session }, outcome }: SessionEvidence): RequestRefused {
  const why = outcome === null ? 'does not run on this server' : 'has ended';
  return new RequestRefused('session_ended', `session \`${session}\` ${why}`);
}

/** A session's evidence, and whether the subject may read all of it. To whom it is not there, it is unknown. */
export async function findSession(
  serving: Serving,
  request: FastifyRequest,
): Promise<{ readonly evidence: SessionEvidence; readonly whole: boolean }> {
  const { session } = request.params as { readonly session: string };
  const evidence = await serving.evidence.session(session);
  const right = evidence === null ? null : rightOn(serving, evidence, asking(request));
  if (evidence === null || right === null)
    throw new RequestRefused('session_unknown', `no session \`${session}\` for this subject`);
  return { evidence, whole: right === 'whole' };
}

/** Whose evidence it is reads it; the owner's people read all of it. To all others the session is not there. */
function rightOn(serving: Serving, { intent }: SessionEvidence, subject: Subject): 'own' | 'whole' | null {
  const product = productThen(serving, intent);
  // What nobody approved gives nobody a right.
  const served = product !== undefined && isServed(product, Date.now());
  if (served && mayReadEvidence(product.policies, subjectOn(product, subject), null).allowed) return 'whole';
  const owner = intent.subject as { readonly tenant: string; readonly principal: string; readonly kind: string };
  const own = owner.tenant === subject.tenant && owner.principal === subject.principal && owner.kind === subject.kind;
  return own && subject.kind !== 'anonymous' ? 'own' : null;
}
