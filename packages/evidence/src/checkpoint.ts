import { cosignedAt, parseNote, type Note, parseVerifierKey, type Signer, signNote } from './note.ts';

/** Head of a tree, after C2SP tlog-checkpoint: it commits to every record before it. */
export interface Checkpoint {
  /** Identity of the log. */
  readonly origin: string;
  /** Records. */
  readonly size: number;
  readonly root: Buffer;
}

/** A checkpoint that was read, and the note that carries it. */
export interface SignedCheckpoint extends Checkpoint {
  readonly note: Note;
}

/** The origin of a log. */
export function originOf(log: string): string {
  return `ambit/${log}`;
}

/** A checkpoint as a signed note. */
export function signCheckpoint({ origin, size, root }: Checkpoint, signers: readonly Signer[]): string {
  return signNote(`${origin}\n${size}\n${root.toString('base64')}\n`, signers);
}

/** Reads a checkpoint; null if it is none. Its signatures are the reader's to check. */
export function parseCheckpoint(text: string): SignedCheckpoint | null {
  const note = parseNote(text);
  if (note === null) return null;
  const [origin, size, encoded, ...rest] = note.text.split('\n');
  if (origin === undefined || origin === '' || rest.at(-1) !== '') return null;
  if (!/^(0|[1-9][0-9]{0,15})$/.test(size ?? '') || !Number.isSafeInteger(Number(size))) return null;
  const root = Buffer.from(encoded ?? '', 'base64');
  if (root.length !== 32 || root.toString('base64') !== encoded) return null;
  return { origin, size: Number(size), root, note };
}

/** The names of these witnesses, all of which cosigned a checkpoint, or the first that did not. */
export function cosigners(
  { note }: SignedCheckpoint,
  keys: readonly string[],
): { readonly names: readonly string[] } | { readonly missing: string } {
  const names: string[] = [];
  for (const key of keys) {
    const witness = parseVerifierKey(key);
    if (witness === null || cosignedAt(note, witness) === null) return { missing: witness?.name ?? `\`${key}\`` };
    names.push(witness.name);
  }
  return { names };
}
