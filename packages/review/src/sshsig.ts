import { createHash, constants, type KeyObject, verify } from 'node:crypto';
import { openKey, type PublicKey, SshReader, sshString } from '@ambit/contract';

// Signatures as `ssh-keygen -Y sign` makes them, after PROTOCOL.sshsig of OpenSSH, by keys of files, agents and hardware.

/** Separates these signatures from all others that the same key makes: logins, commits, mail. */
export const REVIEW_NAMESPACE = 'ambit-review';
/** Of those who open a boundary without a review: no review can be taken for one, nor one for a review. */
export const BREAK_GLASS_NAMESPACE = 'ambit-break-glass';

/** A signature, taken apart. */
export interface SshSignature {
  /** Key that it says it is by, as `TYPE BASE64`. */
  readonly key: string;
  readonly namespace: string;
  readonly hash: 'sha256' | 'sha512';
  /** How it was made, as `rsa-sha2-512`. */
  readonly algorithm: string;
  readonly signature: Buffer;
  /** What a hardware key adds: whether somebody was there, and how often it has signed. */
  readonly hardware: Buffer | null;
}

const MAGIC = 'SSHSIG';
const USER_PRESENT = 1;

/** Takes a signature apart; null if it is none. Nothing in it may be written in two ways. */
function parseSshSignature(bytes: Uint8Array): SshSignature | null {
  try {
    const reader = new SshReader(bytes);
    if (reader.take(MAGIC.length).toString('latin1') !== MAGIC || reader.uint32() !== 1) return null;
    const blob = reader.string();
    const [namespace, reserved, hash] = [reader.text(), reader.text(), reader.text()];
    const inner = new SshReader(reader.string());
    reader.end();
    if (reserved !== '' || (hash !== 'sha256' && hash !== 'sha512')) return null;
    const algorithm = inner.text();
    const signature = inner.string();
    const hardware = algorithm.startsWith('sk-') ? inner.take(5) : null;
    inner.end();
    const type = new SshReader(blob).text();
    return { key: `${type} ${blob.toString('base64')}`, namespace, hash, algorithm, signature, hardware };
  } catch {
    return null;
  }
}

/** The signature in the armour that `ssh-keygen` puts around it; null if there is none. */
export function unarmoured(text: string): Buffer | null {
  const [, inside] =
    /^-----BEGIN SSH SIGNATURE-----\n([A-Za-z0-9+/=\n]+)\n-----END SSH SIGNATURE-----\s*$/.exec(text) ?? [];
  return inside === undefined ? null : Buffer.from(inside.replaceAll('\n', ''), 'base64');
}

/** Whether this key, and no other, made this signature of a message in a namespace. */
export function sshSigned(key: string, namespace: string, message: Uint8Array, bytes: Uint8Array): boolean {
  const parsed = parseSshSignature(bytes);
  const opened = openKey(key);
  if (parsed === null || opened === null || parsed.key !== key || parsed.namespace !== namespace) return false;
  const signed = Buffer.concat([
    Buffer.from(MAGIC),
    ...[namespace, '', parsed.hash].map(sshString),
    sshString(createHash(parsed.hash).update(message).digest()),
  ]);
  try {
    return holds(opened, parsed, signed);
  } catch {
    return false;
  }
}

function holds({ type, key, application }: PublicKey, parsed: SshSignature, signed: Buffer): boolean {
  const { algorithm, signature, hardware } = parsed;
  if (type === 'ssh-rsa') {
    const digest = { 'rsa-sha2-256': 'sha256', 'rsa-sha2-512': 'sha512' }[algorithm];
    return digest !== undefined && verify(digest, signed, { key, padding: constants.RSA_PKCS1_PADDING }, signature);
  }
  if (algorithm !== type) return false;
  const message = application === null ? signed : hardwareMessage(application, hardware, signed);
  if (message === null) return false;
  return type.includes('ed25519')
    ? signature.length === 64 && verify(null, message, key, signature)
    : ecdsaHolds(key, message, signature);
}

/** What a hardware key signs. Null: nobody touched it. */
function hardwareMessage(application: string, hardware: Buffer | null, signed: Buffer): Buffer | null {
  if (hardware === null || ((hardware[0] ?? 0) & USER_PRESENT) === 0) return null;
  const sha256 = (bytes: string | Buffer): Buffer => createHash('sha256').update(bytes).digest();
  return Buffer.concat([sha256(application), hardware, sha256(signed)]);
}

const ECDSA = { prime256v1: ['sha256', 32], secp384r1: ['sha384', 48], secp521r1: ['sha512', 66] } as const;

function ecdsaHolds(key: KeyObject, message: Buffer, signature: Buffer): boolean {
  const [digest, size] = ECDSA[key.asymmetricKeyDetails?.namedCurve as keyof typeof ECDSA] ?? [];
  if (digest === undefined) return false;
  const reader = new SshReader(signature);
  const numbers = [reader.number(), reader.number()];
  reader.end();
  if (numbers.some(({ length }) => length > size)) return false;
  const padded = numbers.map((bytes) => Buffer.concat([Buffer.alloc(size - bytes.length), bytes]));
  return verify(digest, message, { key, dsaEncoding: 'ieee-p1363' }, Buffer.concat(padded));
}
