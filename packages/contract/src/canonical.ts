import { createHash } from 'node:crypto';
import type { Boundary } from './boundary.ts';

/** RFC 8785 over integers only: a boundary that held a float would not read the same everywhere. */
export function canonicalize(value: unknown): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw new TypeError('a boundary holds safe integers only');
    return String(value);
  }
  if (typeof value === 'string') return text(value);
  if (Array.isArray(value)) return `[${value.map(canonicalize).join(',')}]`;
  if (typeof value !== 'object') throw new TypeError(`a boundary holds no ${typeof value}`);
  const object = value as Record<string, unknown>;
  const keys = Object.keys(object).sort();
  return `{${keys.map((key) => `${text(key)}:${canonicalize(object[key])}`).join(',')}}`;
}

function text(value: string): string {
  if (/\p{Surrogate}/u.test(value)) throw new TypeError('a boundary holds well-formed text only');
  return JSON.stringify(value);
}

/** `sha256:...` of the canonical JSON. */
export function digest(value: unknown): string {
  return `sha256:${createHash('sha256').update(canonicalize(value)).digest('hex')}`;
}

/** The boundary's name: what a review covers and every response returns. */
export function fingerprint(boundary: Boundary): string {
  return digest(boundary);
}
