import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { limits } from './limits.ts';

/** A key of one period. Whoever has it can open what was sealed under it; without it nobody can. */
export interface SealKey {
  /** Its period and a random part: no id is given twice. */
  readonly id: string;
  readonly secret: Buffer;
}

/** A sealed text as a record has it. */
export interface Sealed {
  /** Id of the key. */
  readonly key: string;
  /** Base64 of salt, ciphertext and tag. */
  readonly text: string;
}

/** A text does not open: it, or the record that it is in, is not what was sealed. */
export class SealBroken extends Error {
  override readonly name = 'SealBroken';
}

const CIPHER = 'aes-256-gcm';
const SALT_BYTES = 32;
const SECRET_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Encrypts a text under a key, bound to a context: it opens in that context alone. Each text has a key and a nonce of its
 * own, derived from a random salt: however many texts a period has, no pair comes twice. The length that shows is rounded up.
 */
export function seal(key: SealKey, context: string, text: string): Sealed {
  const salt = randomBytes(SALT_BYTES);
  const { secret, nonce } = derived(key, salt);
  const cipher = createCipheriv(CIPHER, secret, nonce).setAAD(bound(key.id, context));
  const sealed = Buffer.concat([salt, cipher.update(padded(text)), cipher.final(), cipher.getAuthTag()]);
  return { key: key.id, text: sealed.toString('base64') };
}

/** Decrypts a text, with the spaces that round its length up. Throws `SealBroken`. */
export function unseal(key: SealKey, context: string, { text }: Sealed): string {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length < SALT_BYTES + TAG_BYTES) throw new SealBroken('the sealed text is cut');
  const { secret, nonce } = derived(key, bytes.subarray(0, SALT_BYTES));
  const decipher = createDecipheriv(CIPHER, secret, nonce, { authTagLength: TAG_BYTES })
    .setAAD(bound(key.id, context))
    .setAuthTag(bytes.subarray(-TAG_BYTES));
  try {
    const opened = decipher.update(bytes.subarray(SALT_BYTES, -TAG_BYTES));
    return Buffer.concat([opened, decipher.final()]).toString('utf8');
  } catch {
    throw new SealBroken('the sealed text is not what was sealed, or not in its record');
  }
}

/**
 * A digest of a text that nobody without the key can guess by trying: a short text has few that it could be. Bound to a
 * context, so that not even whoever can have texts of their own recorded can compare.
 */
export function keyedDigest(key: SealKey, context: string, text: string): string {
  const secret = Buffer.from(hkdfSync('sha256', key.secret, '', 'ambit digest v1', SECRET_BYTES));
  const digest = createHmac('sha256', secret).update(bound(key.id, context)).update('\n').update(text).digest('hex');
  return `hmac-sha256:${digest}`;
}

function derived({ secret }: SealKey, salt: Buffer): { readonly secret: Buffer; readonly nonce: Buffer } {
  const bytes = Buffer.from(hkdfSync('sha256', secret, salt, 'ambit seal v1', SECRET_BYTES + NONCE_BYTES));
  return { secret: bytes.subarray(0, SECRET_BYTES), nonce: bytes.subarray(SECRET_BYTES) };
}

function bound(key: string, context: string): Buffer {
  return Buffer.from(JSON.stringify([key, context]));
}

/** How long a statement is can tell what is in it. */
function padded(text: string): Buffer {
  const bytes = Buffer.from(text);
  const length = Math.ceil((bytes.length + 1) / limits.sealedStepBytes) * limits.sealedStepBytes;
  return Buffer.concat([bytes, Buffer.alloc(length - bytes.length, ' ')]);
}
