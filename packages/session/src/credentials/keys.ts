import { readFile } from 'node:fs/promises';
import type { StoreCredential } from '@ambit/engine';

/** Keys of an account, or of a role for a time. */
export interface Keys extends StoreCredential {
  /** Milliseconds since 1970 UTC; null: for good. */
  readonly expires: number | null;
}

/** A credential of a store cannot be had. The message is for the operator: it names no secret. */
export class CredentialUnavailable extends Error {
  override readonly name = 'CredentialUnavailable';
  readonly reference: string;
  constructor(reference: string, why: string) {
    super(`credential \`${reference}\` ${why}`);
    this.reference = reference;
  }
}

const SECRET = /^[\u0021-\u007e]{1,4096}$/;

/** Reads keys from a file, in the form that the AWS tools have for processes that give credentials. */
export async function readKeys(reference: string, file: string): Promise<Keys> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch {
    throw new CredentialUnavailable(reference, `cannot be read: there is no file \`${file}\` for this process`);
  }
  const wrong = (why: string) => new CredentialUnavailable(reference, `is in no order: \`${file}\` ${why}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Not the parser's own words: they quote what it read.
    throw wrong('is no JSON');
  }
  if (typeof value !== 'object' || value === null) throw wrong('is no JSON object');
  const { AccessKeyId: keyId, SecretAccessKey: secretKey, SessionToken, Expiration } = value as Record<string, unknown>;
  const sessionToken = SessionToken ?? null;
  if (!isSecret(keyId)) throw wrong('has no AccessKeyId');
  if (!isSecret(secretKey)) throw wrong('has no SecretAccessKey');
  if (sessionToken !== null && !isSecret(sessionToken)) throw wrong('has a SessionToken that is none');
  const ends = Expiration ?? null;
  const expires = ends === null ? null : typeof ends === 'string' ? Date.parse(ends) : Number.NaN;
  if (Number.isNaN(expires)) throw wrong('has an Expiration that is no time');
  return { keyId, secretKey, sessionToken, expires };
}

function isSecret(value: unknown): value is string {
  return typeof value === 'string' && SECRET.test(value);
}
