import { createHash } from 'node:crypto';
import type { Json } from './record.ts';

/**
 * RFC 8785 over integers only: evidence must read the same everywhere, and floats do not.
 * Its own copy, because a verifier must not depend on the contract's code.
 */
export function canonical(value: Json): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw new TypeError('evidence holds safe integers only');
    return String(value);
  }
  if (typeof value === 'string') return text(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  const object = value as { readonly [key: string]: Json };
  const keys = Object.keys(object).sort();
  return `{${keys.map((key) => `${text(key)}:${canonical(object[key] as Json)}`).join(',')}}`;
}

function text(value: string): string {
  if (/\p{Surrogate}/u.test(value)) throw new TypeError('evidence holds well-formed text only');
  return JSON.stringify(value);
}

/** Lower-case hex SHA-256. */
export function sha256(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
