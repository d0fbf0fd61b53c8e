import type { Subject } from '@ambit/policy';
import type { Product } from '@ambit/session';
import type { KeyRing } from './keys.ts';
import { RequestRefused } from './problems.ts';
import type { TokenVerifier } from './tokens.ts';

/** Who asks, from the credential alone. Null: no credential was sent. A bad one is refused, never taken for none. */
export async function authenticate(
  header: string | undefined,
  keys: KeyRing,
  tokens: TokenVerifier,
): Promise<Subject | null> {
  if (header === undefined) return null;
  const [, token] = /^Bearer ([A-Za-z0-9._~+/=-]+)$/i.exec(header) ?? [];
  const subject =
    token === undefined ? null : token.startsWith('ambit_') ? await keys.subject(token) : await tokens.subject(token);
  if (subject !== null) return subject;
  throw new RequestRefused(
    'credential_invalid',
    'the credential is not valid here',
    'send `Authorization: Bearer` with a key or a token of this server',
  );
}

/** The subject of a request on a product: anonymous only where its contract says so. */
export function subjectFor(subject: Subject | null, product: Product | undefined): Subject {
  if (subject !== null) return subject;
  const anonymous = product?.boundary.anonymous ?? null;
  if (product === undefined || anonymous === null) {
    throw new RequestRefused(
      'credential_required',
      'this needs a credential',
      'send `Authorization: Bearer` with a key or a token of this server',
    );
  }
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
