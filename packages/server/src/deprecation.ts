import { type ProductIdentity, sunsetOf } from '@ambit/contract';
import type { FastifyReply } from 'fastify';

/** Tells whoever got something of a version that it comes to its end: RFC 9745, RFC 8594 and RFC 5829. */
export function tellDeprecation(reply: FastifyReply, { name, deprecation }: ProductIdentity): void {
  if (deprecation === undefined) return;
  const { since, successor } = deprecation;
  reply.header('deprecation', `@${Date.parse(`${since}T00:00:00Z`) / 1_000}`);
  const sunset = sunsetOf(deprecation);
  if (sunset !== null) reply.header('sunset', new Date(sunset).toUTCString());
  if (successor !== null) reply.header('link', `</v1/products/${name}@${successor}>; rel="successor-version"`);
}
