import type { FastifyRequest } from 'fastify';
import { RequestRefused } from './problems.ts';

/** The purpose that a request names, in its header or its body. Null: none. */
export function purposeOf({ headers }: FastifyRequest, body?: string): string | null {
  const header = headers['ambit-purpose'];
  const given = typeof header === 'string' ? header : undefined;
  if (given !== undefined && body !== undefined && given !== body) {
    const message = 'the header and the body name different purposes';
    throw new RequestRefused('purpose_refused', message, 'a session has one purpose');
  }
  return body ?? given ?? null;
}
