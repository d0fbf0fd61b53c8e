import { hash } from 'node:crypto';
import type { Json } from './record.ts';

/**
 * RFC 8785 over integers only: evidence must read the same everywhere, and floats do not.
 * Its own copy, because a verifier must not depend on the contract's code.
 */
export function canonical(value: Json): string {
  if (typeof value === 'string') return text(value);
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw new TypeError('evidence holds safe integers only');
    return String(value);
  }
  if (value === null || typeof value === 'boolean') return String(value);
  // Text that grows: every record is written here, and lists of its parts cost half of it.
  let written = '';
  if (Array.isArray(value)) {
    for (const item of value) written += `${written === '' ? '' : ','}${canonical(item)}`;
    return `[${written}]`;
  }
  const object = value as { readonly [name: string]: Json };
  // By code units, as RFC 8785 has it.
  for (const name of Object.keys(object).sort()) {
    written += `${written === '' ? '' : ','}${text(name)}:${canonical(object[name] as Json)}`;
  }
  return `{${written}}`;
}

/**
 * Members of an object, canonical, in as many pieces as leave room between them for members of other names, which are in order
 * and not known yet. Commas are where those will be: after each member of the first piece, before each of another.
 */
export function membersAround(
  others: readonly string[],
  object: { readonly [name: string]: Json },
): readonly string[] {
  const pieces: string[] = [];
  let piece = '';
  for (const name of Object.keys(object).sort()) {
    while (pieces.length < others.length && name > (others[pieces.length] as string)) {
      pieces.push(piece);
      piece = '';
    }
    const member = `${text(name)}:${canonical(object[name] as Json)}`;
    piece += pieces.length === 0 ? `${member},` : `,${member}`;
  }
  while (pieces.length < others.length) {
    pieces.push(piece);
    piece = '';
  }
  pieces.push(piece);
  return pieces;
}

/** Whether a text is the canonical form of the value that it was parsed to. */
export function isCanonical(value: Json, written: string): boolean {
  // Most often what was parsed is written again as it was, and then only the order of members is to be looked at. A surrogate
  // that stands alone would be escaped, and numbers as names come in an order of their own: both go the long way.
  if (!written.includes('\\ud') && JSON.stringify(value) === written && ordered(value)) return true;
  try {
    return canonical(value) === written;
  } catch {
    return false;
  }
}

function ordered(value: Json): boolean {
  if (typeof value === 'number') return Number.isSafeInteger(value);
  if (value === null || typeof value !== 'object') return true;
  if (Array.isArray(value)) return value.every(ordered);
  let before: string | null = null;
  for (const [name, member] of Object.entries(value)) {
    if ((before !== null && name <= before) || !ordered(member)) return false;
    before = name;
  }
  return true;
}

/** Nothing that JSON escapes. */
const PLAIN = /^[ !#-[\]-~]*$/;
/** Up to so many characters a look at each is cheaper than a call of `JSON.stringify`. */
const SHORT = 32;

function text(value: string): string {
  if (value.length <= SHORT && PLAIN.test(value)) return `"${value}"`;
  if (!value.isWellFormed()) throw new TypeError('evidence holds well-formed text only');
  return JSON.stringify(value);
}

/** Lower-case hex SHA-256. */
export function sha256(bytes: string | Uint8Array): string {
  return hash('sha256', bytes, 'hex');
}
