import { createHash, createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { SshReader, sshNumber, sshString } from './ssh-wire.ts';

// A public key is kept as `TYPE BASE64`, which is how `authorized_keys` has it, whatever form it came in: one key has one text.

/** A public key, opened. */
export interface PublicKey {
  /** As SSH names it: `ssh-ed25519`, `sk-ssh-ed25519@openssh.com`. */
  readonly type: string;
  readonly key: KeyObject;
  /** What a hardware key signs for: the application that it was made for. Null: it is no hardware key. */
  readonly application: string | null;
}

/** Names of curves: as SSH says them, as JWK does, and the bytes of a coordinate. */
const CURVES = { nistp256: ['P-256', 32], nistp384: ['P-384', 48], nistp521: ['P-521', 66] } as const;
const RSA_BITS_MIN = 2_048;

/** Types of keys that can sign here. */
export const KEY_TYPES = [
  'ssh-ed25519',
  'sk-ssh-ed25519@openssh.com',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'sk-ecdsa-sha2-nistp256@openssh.com',
  'ssh-rsa',
] as const;

/** The bytes of a key's text. */
export function keyBytes(text: string): Buffer {
  return Buffer.from(text.slice(text.indexOf(' ') + 1), 'base64');
}

/** The name of a key: `SHA256:...`, as `ssh-keygen -l` shows it. */
export function keyId(text: string): string {
  return `SHA256:${createHash('sha256').update(keyBytes(text)).digest('base64').replace(/=+$/, '')}`;
}

/** Opens a key. Null: it is none, or one that nothing is believed of. */
export function openKey(text: string): PublicKey | null {
  const [type = '', encoded = '', ...rest] = text.split(' ');
  const bytes = Buffer.from(encoded, 'base64');
  if (rest.length > 0 || bytes.toString('base64') !== encoded) return null;
  try {
    const reader = new SshReader(bytes);
    if (reader.text() !== type) return null;
    const jwk = jwkOf(type, reader);
    if (jwk === null) return null;
    const application = type.startsWith('sk-') ? reader.text() : null;
    reader.end();
    const key = createPublicKey({ key: jwk, format: 'jwk' });
    if (type === 'ssh-rsa' && (key.asymmetricKeyDetails?.modulusLength ?? 0) < RSA_BITS_MIN) return null;
    return { type, key, application };
  } catch {
    return null;
  }
}

function jwkOf(type: string, reader: SshReader): JsonWebKey | null {
  if (type === 'ssh-ed25519' || type === 'sk-ssh-ed25519@openssh.com') {
    const x = reader.string();
    return x.length === 32 ? { kty: 'OKP', crv: 'Ed25519', x: x.toString('base64url') } : null;
  }
  if (type === 'ssh-rsa') {
    const [e, n] = [reader.number(), reader.number()];
    return { kty: 'RSA', e: e.toString('base64url'), n: n.toString('base64url') };
  }
  const [, named = ''] = /^(?:sk-)?ecdsa-sha2-(nistp(?:256|384|521))(?:@openssh\.com)?$/.exec(type) ?? [];
  const [crv, size] = CURVES[named as keyof typeof CURVES] ?? [];
  if (crv === undefined || reader.text() !== named) return null;
  const point = reader.string();
  // Uncompressed: both coordinates.
  if (point.length !== 1 + 2 * size || point[0] !== 4) return null;
  const part = (from: number): string => point.subarray(from, from + size).toString('base64url');
  return { kty: 'EC', crv, x: part(1), y: part(1 + size) };
}

/** The text of a key. Null: it is of a kind that cannot sign here. */
export function keyText(key: KeyObject): string | null {
  const jwk = key.export({ format: 'jwk' });
  const bytes = (part: string | undefined): Buffer => Buffer.from(part ?? '', 'base64url');
  const written = (type: string, ...parts: readonly Buffer[]): string =>
    `${type} ${Buffer.concat([sshString(type), ...parts]).toString('base64')}`;
  if (jwk.kty === 'OKP' && jwk.crv === 'Ed25519') return written('ssh-ed25519', sshString(bytes(jwk.x)));
  if (jwk.kty === 'RSA') return written('ssh-rsa', sshNumber(bytes(jwk.e)), sshNumber(bytes(jwk.n)));
  const named = Object.entries(CURVES).find(([, [crv]]) => crv === jwk.crv)?.[0];
  if (jwk.kty !== 'EC' || named === undefined) return null;
  const point = Buffer.concat([Buffer.of(4), bytes(jwk.x), bytes(jwk.y)]);
  return written(`ecdsa-sha2-${named}`, sshString(named), sshString(point));
}
