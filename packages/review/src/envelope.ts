import { createHash, verify } from 'node:crypto';
import { canonicalize, keyId, openKey } from '@ambit/contract';
import { sshSigned } from './sshsig.ts';

// DSSE envelopes (secure-systems-lab/dsse v1) with one signature each. What is not signed of a file is held to one way of
// writing it, so that no byte of it can be another.

/** What the bytes of a payload are: an in-toto statement. */
const PAYLOAD_TYPE = 'application/vnd.in-toto+json';

/** An envelope, as it was read. Nothing is known of its signature. */
export interface Envelope {
  readonly payload: Buffer;
  /** What the payload is as JSON. */
  readonly statement: unknown;
  readonly keyid: string;
  readonly signature: Buffer;
}

/** What is signed: DSSE's encoding of a payload with its type. */
export function signedBytes(payload: Uint8Array): Buffer {
  const type = Buffer.from(PAYLOAD_TYPE);
  const head = `DSSEv1 ${type.length} ${PAYLOAD_TYPE} ${payload.length} `;
  return Buffer.concat([Buffer.from(head), payload]);
}

/** The payload of a statement: its canonical JSON. */
export function payloadOf(statement: unknown): Buffer {
  return Buffer.from(canonicalize(statement));
}

/** The name of a statement: `sha256:...` of its payload. It does not change with the signature. */
export function statementDigest(payload: Uint8Array): string {
  return `sha256:${createHash('sha256').update(payload).digest('hex')}`;
}

/** The file of an envelope. */
export function envelopeText(payload: Buffer, key: string, signature: Uint8Array): string {
  const signatures = [{ keyid: keyId(key), sig: Buffer.from(signature).toString('base64') }];
  return `${JSON.stringify({ payloadType: PAYLOAD_TYPE, payload: payload.toString('base64'), signatures }, null, 2)}\n`;
}

/** Reads the file of an envelope. Null: it is none, or one that is written otherwise. */
export function readEnvelope(text: string): Envelope | null {
  try {
    const read = JSON.parse(text) as {
      readonly payload: string;
      readonly signatures: readonly { readonly keyid: string; readonly sig: string }[];
    };
    const [first, ...more] = read.signatures;
    if (first === undefined || more.length > 0) return null;
    const [payload, signature] = [Buffer.from(read.payload, 'base64'), Buffer.from(first.sig, 'base64')];
    const statement: unknown = JSON.parse(payload.toString('utf8'));
    const rewritten = {
      payloadType: PAYLOAD_TYPE,
      payload: payload.toString('base64'),
      signatures: [{ keyid: first.keyid, sig: signature.toString('base64') }],
    };
    if (`${JSON.stringify(rewritten, null, 2)}\n` !== text || !payloadOf(statement).equals(payload)) return null;
    return { payload, statement, keyid: first.keyid, signature };
  } catch {
    return null;
  }
}

const RAW_BYTES = 64;

/** Whether a key of these signed an envelope, in a namespace where SSH has one: that key, else null. */
export function signerOf(envelope: Envelope, keys: readonly string[], namespace: string): string | null {
  const { payload, signature, keyid } = envelope;
  return keys.find((key) => keyId(key) === keyid && signedBy(key, namespace, signedBytes(payload), signature)) ?? null;
}

function signedBy(key: string, namespace: string, message: Buffer, signature: Buffer): boolean {
  if (signature.length !== RAW_BYTES) return sshSigned(key, namespace, message, signature);
  const opened = openKey(key);
  return opened?.type === 'ssh-ed25519' && verify(null, message, opened.key, signature);
}
