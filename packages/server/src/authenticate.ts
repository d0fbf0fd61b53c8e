import type { Subject } from '@ambit/policy';
import type { Product } from '@ambit/session';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { RequestRefused } from './problems.ts';
import { productNamed, type Serving } from './serving.ts';

/**
 * Who may use a route. `subject`, which is what a route has that says nothing: whoever has a credential. `contract`:
 * also whom a contract admits without one. `everyone`: no credential is looked at.
 */
export type Access = 'subject' | 'contract' | 'everyone';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks, from the credential alone. Null: nobody in particular, on a route where that may be. */
    subject: Subject | null;
  }
  interface FastifyContextConfig {
    readonly access?: Access;
  }
}

/** Authenticates every request before anything else of it is read. */
export function addAuthentication(app: FastifyInstance, serving: Serving): void {
  app.decorateRequest('subject', null);
  app.addHook('onRequest', async (request) => {
    const access = request.routeOptions.config.access ?? 'subject';
    if (access === 'everyone' || request.is404) return;
    const known = await subjectOf(authorizationOf(request), serving);
    const { product } = request.params as { readonly product?: string };
    if (access === 'subject' && known === null) throw required();
    const asked = access === 'contract' && product !== undefined;
    request.subject = asked ? subjectFor(known, productNamed(serving, product)) : known;
  });
}

/** The subject of a request on a route that nobody uses without being one. */
export function asking({ subject }: FastifyRequest): Subject {
  if (subject === null) throw required();
  return subject;
}

/** Null: no credential was sent. A bad one is refused, never taken for none. */
async function subjectOf(
  header: string | undefined,
  { keys, tokens }: Pick<Serving, 'keys' | 'tokens'>,
): Promise<Subject | null> {
  if (header === undefined) return null;
  const [, token] = /^Bearer ([A-Za-z0-9._~+/=-]+)$/i.exec(header) ?? [];
  const subject =
    token === undefined ? null : token.startsWith('ambit_') ? await keys.subject(token) : await tokens.subject(token);
  if (subject !== null) return subject;
  throw new RequestRefused('credential_invalid', 'the credential is not valid here', SEND);
}

/** Node keeps the first of two; what is in front may look at the other. */
function authorizationOf({ raw }: FastifyRequest): string | undefined {
  const sent = raw.headersDistinct['authorization'] ?? [];
  if (sent.length > 1) throw new RequestRefused('credential_invalid', 'there are two credentials', SEND);
  return sent[0];
}

/** The subject of a request on a product: anonymous only where its contract says so. */
export function subjectFor(subject: Subject | null, product: Product | undefined): Subject {
  if (subject !== null) return subject;
  const anonymous = product?.boundary.anonymous ?? null;
  if (product === undefined || anonymous === null) throw required();
  return {
    tenant: product.boundary.product.tenant,
    principal: 'anonymous',
    kind: 'anonymous',
    roles: [],
    claims: anonymous.claims,
    channel: 'http',
    onBehalfOf: null,
    authentication: { method: 'anonymous', reference: 'anonymous' },
  };
}

function required(): RequestRefused {
  return new RequestRefused('credential_required', 'this needs a credential', SEND);
}

const SEND = 'send `Authorization: Bearer` with a key or a token of this server';
