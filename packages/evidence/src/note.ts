import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';

// Signed notes after C2SP signed-note, with Ed25519 keys, and cosignatures of witnesses after C2SP tlog-cosignature.

/** A key that signs notes. */
export interface Signer {
  readonly name: string;
  readonly key: KeyObject;
}

/** A key that notes are checked with. */
export interface Verifier {
  readonly name: string;
  /** First four bytes of the hash of name and key, as a number. */
  readonly id: number;
  readonly kind: 'note' | 'cosignature';
  readonly key: KeyObject;
}

export interface NoteSignature {
  readonly name: string;
  readonly id: number;
  readonly signature: Buffer;
}

export interface Note {
  /** Ends with a line feed. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

const KINDS = { note: 1, cosignature: 4 } as const;
/** DER of an Ed25519 public key, before its 32 bytes. */
const SPKI = Buffer.from('302a300506032b6570032100', 'hex');
const TIME_BYTES = 8;
const TIME_MAX = 2n ** 63n - 1n;

/** The public key of a signer, as `name+id+key`: what an auditor keeps. */
export function verifierKey({ name, key }: Signer): string {
  const bytes = publicBytes(key);
  const tagged = Buffer.concat([Buffer.of(KINDS.note), bytes]);
  return `${name}+${keyId(name, tagged).toString(16).padStart(8, '0')}+${tagged.toString('base64')}`;
}

/** Reads `name+id+key`; null if it is none, or if its id is not that of its key. */
export function parseVerifierKey(text: string): Verifier | null {
  const [, name, id, encoded] = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})$/u.exec(text) ?? [];
  if (name === undefined || id === undefined || encoded === undefined) return null;
  const tagged = Buffer.from(encoded, 'base64');
  const kind = tagged[0] === KINDS.note ? 'note' : tagged[0] === KINDS.cosignature ? 'cosignature' : null;
  if (kind === null || tagged.length !== 33 || keyId(name, tagged) !== Number.parseInt(id, 16)) return null;
  const key = createPublicKey({ key: Buffer.concat([SPKI, tagged.subarray(1)]), format: 'der', type: 'spki' });
  return { name, id: Number.parseInt(id, 16), kind, key };
}

/** A note of a text, signed by each. The text ends with a line feed. */
export function signNote(text: string, signers: readonly Signer[]): string {
  return `${text}\n${signers.map((signer) => signatureLine(text, signer)).join('')}`;
}

function signatureLine(text: string, { name, key }: Signer): string {
  const id = keyId(name, Buffer.concat([Buffer.of(KINDS.note), publicBytes(key)]));
  return signatureOf({ name, id, signature: sign(null, Buffer.from(text), key) });
}

/** Reads a note; null if it is none. Says nothing of its signatures. */
export function parseNote(note: string): Note | null {
  const split = note.lastIndexOf('\n\n');
  if (split < 0 || !note.endsWith('\n')) return null;
  const signatures = parseSignatures(note.slice(split + 2));
  return signatures === null ? null : { text: note.slice(0, split + 1), signatures };
}

/** Reads signature lines, each of which ends with a line feed; null if one is none. */
export function parseSignatures(text: string): readonly NoteSignature[] | null {
  if (!text.endsWith('\n')) return null;
  const signatures: NoteSignature[] = [];
  for (const line of text.slice(0, -1).split('\n')) {
    const [, name, encoded] = /^— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})$/u.exec(line) ?? [];
    const bytes = Buffer.from(encoded ?? '', 'base64');
    if (name === undefined || bytes.length < 5) return null;
    signatures.push({ name, id: bytes.readUInt32BE(0), signature: bytes.subarray(4) });
  }
  return signatures;
}

/** The line of a signature. */
export function signatureOf({ name, id, signature }: NoteSignature): string {
  const prefix = Buffer.alloc(4);
  prefix.writeUInt32BE(id);
  return `— ${name} ${Buffer.concat([prefix, signature]).toString('base64')}\n`;
}

/** When this witness cosigned a note, in seconds since 1970; null if it did not. */
export function cosignedAt({ text, signatures }: Note, verifier: Verifier): number | null {
  if (verifier.kind !== 'cosignature') return null;
  const found = signatures.find((signature) => signedBy({ text, signatures: [signature] }, verifier));
  return found === undefined ? null : Number(found.signature.readBigUInt64BE(0));
}

/** Whether a note has a good signature by this key. */
export function signedBy({ text, signatures }: Note, verifier: Verifier): boolean {
  return signatures.some(
    ({ name, id, signature }) => name === verifier.name && id === verifier.id && good(text, signature, verifier),
  );
}

function good(text: string, signature: Buffer, { kind, key }: Verifier): boolean {
  if (kind === 'note') return verify(null, Buffer.from(text), key, signature);
  if (signature.length !== TIME_BYTES + 64) return false;
  const time = signature.readBigUInt64BE(0);
  if (time > TIME_MAX) return false;
  return verify(null, Buffer.from(`cosignature/v1\ntime ${time}\n${text}`), key, signature.subarray(TIME_BYTES));
}

function publicBytes(key: KeyObject): Buffer {
  return (createPublicKey(key).export({ format: 'der', type: 'spki' }) as Buffer).subarray(SPKI.length);
}

function keyId(name: string, tagged: Buffer): number {
  return createHash('sha256').update(`${name}\n`).update(tagged).digest().readUInt32BE(0);
}
