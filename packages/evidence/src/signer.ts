import { createPrivateKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { canonical } from './canonical.ts';
import { EvidenceKeyUnknown } from './errors.ts';
import { alone } from './lock.ts';
import { parseVerifierKey, type Signer, verifierKey } from './note.ts';
import type { KeyRotated } from './record.ts';

/** A key made by a rotation whose record may not be written yet. */
const nextOf = (path: string): string => `${path}.next`;

/** The private key of a file; null if there is none. Throws `EvidenceKeyUnknown` if it holds something else. */
async function keyOf(path: string): Promise<KeyObject | null> {
  const pem = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (pem === null) return null;
  let key: KeyObject | null = null;
  try {
    key = createPrivateKey(pem);
  } catch {
    // Told below: what a parser says of a key may quote it.
  }
  if (key?.asymmetricKeyType !== 'ed25519') throw new EvidenceKeyUnknown(`\`${path}\` holds no Ed25519 private key`);
  return key;
}

async function makeKey(path: string): Promise<KeyObject> {
  const { privateKey } = generateKeyPairSync('ed25519');
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(privateKey.export({ format: 'pem', type: 'pkcs8' }));
    await file.sync();
  } finally {
    await file.close();
  }
  return privateKey;
}

/** The signer of a key that the log names, and whether it waits beside the file for its rotation; null if it is in neither. */
export async function findSigner(
  path: string,
  name: string,
  expected: string,
): Promise<{ readonly signer: Signer; readonly waits: boolean } | null> {
  // Twice: it may be moved from one to the other meanwhile.
  for (const file of [path, nextOf(path), path]) {
    const key = await keyOf(file);
    if (key !== null && verifierKey({ name, key }) === expected) return { signer: { name, key }, waits: file !== path };
  }
  return null;
}

/**
 * The signer of a log. `expected` is the verifier key that its records name last, null for a new log, whose key is made if
 * there is none. Throws `EvidenceKeyUnknown` when the file has another key: nobody would know whose the log is from there on.
 */
export async function loadSigner(path: string, origin: string, expected: string | null): Promise<Signer> {
  if (expected === null) return { name: origin, key: (await keyOf(path)) ?? (await makeKey(path)) };
  const { signer, waits } = await expectSigner(path, origin, expected);
  // Killed between the record of a rotation and its last step, or another server rotated.
  if (waits) await takeNext(path, signer);
  return signer;
}

/** As `findSigner`. Throws `EvidenceKeyUnknown`. */
export async function expectSigner(path: string, origin: string, expected: string) {
  const found = await findSigner(path, origin, expected);
  if (found !== null) return found;
  const key = await keyOf(path);
  throw new EvidenceKeyUnknown(
    key === null ? `the log's key is not in \`${path}\`` : `the key in \`${path}\` is not the one that the log names`,
  );
}

/** A new key for a log, beside the old one until `takeNext`. One that is there already is the one. */
export async function makeNext(path: string, { name }: Pick<Signer, 'name'>): Promise<Signer> {
  const next = (): Promise<KeyObject | null> => keyOf(nextOf(path));
  const key = (await next()) ?? (await alone(path, async () => (await next()) ?? makeKey(nextOf(path))));
  return { name, key };
}

/** Makes the key that a rotation will hand over to, for other servers to have it before that. Returns its file. */
export async function prepareKey(path: string): Promise<string> {
  await makeNext(path, { name: '' });
  return nextOf(path);
}

/**
 * The new key takes the old one's place, if it waits there still: servers that share the file may all come to do it, and one that
 * comes late must not put the key after it there, which hands over to nobody yet, in the place of the one that signs.
 */
export function takeNext(path: string, { key }: Signer): Promise<void> {
  return alone(path, async () => {
    if ((await keyOf(nextOf(path)))?.equals(key) === true) await rename(nextOf(path), path);
  });
}

/** The record by which a key hands over to the next: both sign. */
export function rotation(log: string, from: Signer, to: Signer): KeyRotated {
  const said = { from: verifierKey(from), to: verifierKey(to) };
  const bytes = handover(log, said);
  const signed = ({ key }: Signer): string => sign(null, bytes, key).toString('base64');
  return { type: 'key.rotated', ...said, signatures: { from: signed(from), to: signed(to) } };
}

/** Whether both keys of a rotation signed it. */
export function rotationHolds(log: string, { from, to, signatures }: KeyRotated): boolean {
  const bytes = handover(log, { from, to });
  return (['from', 'to'] as const).every((side) => {
    const verifier = parseVerifierKey({ from, to }[side]);
    return verifier !== null && verify(null, bytes, verifier.key, Buffer.from(signatures[side], 'base64'));
  });
}

function handover(log: string, { from, to }: Pick<KeyRotated, 'from' | 'to'>): Buffer {
  return Buffer.from(`ambit key rotation\n${canonical({ from, log, to })}\n`);
}
