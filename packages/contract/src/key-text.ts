import { createPublicKey } from 'node:crypto';
import { nearest } from './problem.ts';
import { KEY_TYPES, keyText, openKey } from './public-key.ts';

/** What somebody's keys are, as a file lists them. */
export interface ListedKeys {
  /** Each as `TYPE BASE64`. */
  readonly keys: readonly string[];
  /** Addresses that stand beside the keys, in lower case, sorted. */
  readonly emails: readonly string[];
  readonly problems: readonly KeyProblem[];
}

/** What is wrong with a line of keys; line and column from 1. Never quotes what may be a secret. */
export interface KeyProblem {
  readonly line: number;
  readonly column: number;
  readonly message: string;
  readonly hint: string;
}

const FORMS = 'a line of `authorized_keys` (`ssh-ed25519 AAAA... you@example.org`), a PEM block, or 32 bytes in base64';
const SECRET = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;
/** The bare base64 of an Ed25519 key: of its 32 bytes, or of its DER. */
const RAW = /^(?:MCowBQYDK2VwAyEA)?[A-Za-z0-9+/]{43}=$/;
const RAW_BYTES = 32;
/** DER of an Ed25519 public key, before its bytes. */
const SPKI = Buffer.from('302a300506032b6570032100', 'hex');

/**
 * Reads public keys, one a line: as `authorized_keys` has them, as PEM blocks or as the bare base64 of an Ed25519 key. An
 * address behind a key, or on a line of its own, is the person's.
 */
export function readKeys(text: string): ListedKeys {
  const keys: string[] = [];
  const emails = new Set<string>();
  const problems: KeyProblem[] = [];
  const lines = text.split('\n');
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] ?? '';
    const column = line.length - line.trimStart().length + 1;
    const say = (message: string, hint = FORMS): void => void problems.push({ line: at + 1, column, message, hint });
    if (line.includes('-----BEGIN')) {
      const end = lines.findIndex((other, index) => index >= at && other.includes('-----END'));
      const block = lines.slice(at, end < 0 ? undefined : end + 1).join('\n');
      const key = SECRET.test(block) ? SECRET : pemKey(block);
      if (key === SECRET)
        say('this is a private key', 'it is no secret any more: make another, and list the public one');
      else if (typeof key === 'string') keys.push(key);
      else say('this PEM block holds no public key that can sign here', 'Ed25519, ECDSA and RSA keys of 2048 bits can');
      if (end >= 0) at = end;
      else at = lines.length;
      continue;
    }
    const read = readLine(line.trim().split(/\s+/).filter(Boolean));
    if ('message' in read) say(read.message, read.hint);
    else {
      keys.push(...read.keys);
      for (const email of read.emails) emails.add(email.toLowerCase());
    }
  }
  if (keys.length === 0 && problems.length === 0) {
    problems.push({ line: 1, column: 1, message: 'there is no key here', hint: FORMS });
  }
  return { keys, emails: [...emails].toSorted(), problems };
}

type Line = { readonly keys: readonly string[]; readonly emails: readonly string[] };

function readLine(words: readonly string[]): Line | { readonly message: string; readonly hint?: string } {
  const [first = '', second = ''] = words;
  const addresses = (rest: readonly string[]): readonly string[] => rest.filter((word) => word.includes('@'));
  if (RAW.test(first)) {
    const key = rawKey(first);
    return key === null ? { message: 'this is no Ed25519 key' } : { keys: [key], emails: addresses(words.slice(1)) };
  }
  if ((KEY_TYPES as readonly string[]).includes(first)) {
    const key = `${first} ${second}`;
    if (openKey(key) !== null) return { keys: [key], emails: addresses(words.slice(2)) };
    const hint = 'copy the whole line of the `.pub` file; an RSA key has 2048 bits or more';
    return { message: `what stands behind \`${first}\` is not such a key`, hint };
  }
  if (words.every((word) => word.includes('@'))) return { keys: [], emails: words };
  // One that was given up long ago is not a slip of the pen.
  const word = first === 'ssh-dss' ? null : nearest(first, KEY_TYPES);
  if (/^(?:ssh|ecdsa|sk)-/.test(first)) {
    const hint = word === null ? `types here: ${KEY_TYPES.join(', ')}` : `did you mean \`${word}\``;
    return { message: `a key of type \`${first}\` cannot sign here`, hint };
  }
  return { message: 'this is no public key' };
}

function pemKey(block: string): string | null {
  try {
    const text = keyText(createPublicKey(block));
    return text !== null && openKey(text) !== null ? text : null;
  } catch {
    return null;
  }
}

function rawKey(encoded: string): string | null {
  try {
    const bytes = Buffer.from(encoded, 'base64');
    const key = bytes.length === RAW_BYTES ? Buffer.concat([SPKI, bytes]) : bytes;
    return keyText(createPublicKey({ key, format: 'der', type: 'spki' }));
  } catch {
    return null;
  }
}
