import { hash } from 'node:crypto';
import { limits } from './limits.ts';
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
    for (const item of value) written += (written === '' ? '' : ',') + canonical(item);
    return `[${written}]`;
  }
  const object = value as { readonly [name: string]: Json };
  for (const name of namesOf(object)) {
    written += (written === '' ? '' : ',') + named(name) + canonical(object[name] as Json);
  }
  return `{${written}}`;
}

/** Of an object's members, by code units, as RFC 8785 has it. */
function namesOf(object: object): readonly string[] {
  const names = Object.keys(object);
  if (names.length > FEW) return names.sort();
  // Few, and often in order already: a sort of the general kind takes longer than all else that is done to them.
  for (let at = 1; at < names.length; at += 1) {
    const name = names[at] as string;
    let place = at;
    for (; place > 0 && (names[place - 1] as string) > name; place -= 1) names[place] = names[place - 1] as string;
    names[place] = name;
  }
  return names;
}

const FEW = 16;

/** Names as they are written: records say the same ones again and again. */
const kept = new Map<string, string>();

function named(name: string): string {
  const known = kept.get(name);
  if (known !== undefined) return known;
  const made = `${text(name)}:`;
  if (kept.size < limits.namesKeptMax) kept.set(name, made);
  return made;
}

/**
 * Members of an object, canonical, in as many pieces as leave room between them for members of other names, which are in order
 * and not known yet. Commas are where those will be: after each member of the first piece, before each of another.
 */
export function membersAround(others: readonly string[], object: { readonly [name: string]: Json }): readonly string[] {
  const pieces: string[] = [];
  let piece = '';
  for (const name of namesOf(object)) {
    while (pieces.length < others.length && name > (others[pieces.length] as string)) {
      pieces.push(piece);
      piece = '';
    }
    const member = named(name) + canonical(object[name] as Json);
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
