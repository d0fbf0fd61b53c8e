import { createHash } from 'node:crypto';
import type { SessionTemplate } from './generated/protocol.ts';

const bytesOf = new WeakMap<SessionTemplate, Buffer>();

/** The bytes that cross, made once for each template. */
export function templateBytes(template: SessionTemplate): Buffer {
  const known = bytesOf.get(template);
  if (known !== undefined) return known;
  const bytes = Buffer.from(JSON.stringify(template));
  bytesOf.set(template, bytes);
  return bytes;
}

/** `sha256:...` of the template's bytes: its name in every worker. */
export function templateDigest(template: SessionTemplate): string {
  return `sha256:${createHash('sha256').update(templateBytes(template)).digest('hex')}`;
}
