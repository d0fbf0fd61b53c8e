import { type SignedCheckpoint, parseCheckpoint } from './checkpoint.ts';
import { inclusionProof, leafHash, type NodeHash, rootFromInclusion } from './merkle.ts';
import { parseVerifierKey, signedBy, type Verifier } from './note.ts';
import type { EvidenceRecord } from './record.ts';

/** What a consumer keeps to prove later that its session is in the log. Holds nothing but digests. */
export interface Receipt {
  readonly format: 'ambit/receipt/v1';
  readonly session: string;
  /** Checkpoint that the proofs lead to: a signed note. */
  readonly checkpoint: string;
  /** Verifier key that signed it, as `name+id+key`. To trust it, compare it with one that was got another way. */
  readonly key: string;
  /** What the tree holds of the session: its intent and its outcome. */
  readonly entries: readonly ReceiptEntry[];
}

/** A leaf of the tree, and the way from it to the root. */
export interface ReceiptEntry {
  /** Position of the leaf: the record's `seq`. */
  readonly index: number;
  /** The leaf: canonical JSON with the record's digest. */
  readonly entry: string;
  /** Hashes in base64, the deepest first. */
  readonly proof: readonly string[];
}

/** What a leaf says. */
export interface Entry {
  readonly v: 1;
  readonly seq: number;
  readonly type: EvidenceRecord['type'];
  readonly digest: string;
  readonly session?: string;
}

/** A receipt that holds, or why it does not. */
export type ReceiptVerdict =
  | { readonly holds: true; readonly checkpoint: SignedCheckpoint; readonly entries: readonly Entry[] }
  | { readonly holds: false; readonly reason: string };

/** A receipt of these leaves of a tree. */
export async function issueReceipt(
  session: string,
  leaves: readonly { readonly index: number; readonly entry: string }[],
  head: { readonly size: number; readonly note: string; readonly key: string },
  node: NodeHash,
): Promise<Receipt> {
  const entries: ReceiptEntry[] = [];
  for (const { index, entry } of leaves) {
    const proof = await inclusionProof(index, head.size, node);
    entries.push({ index, entry, proof: proof.map((hash) => hash.toString('base64')) });
  }
  return { format: 'ambit/receipt/v1', session, checkpoint: head.note, key: head.key, entries };
}

/**
 * Checks a receipt by itself, without a server. `trusted` is a verifier key that was got another way; without one the receipt's
 * own is taken, which shows that it is whole, not whose it is.
 */
export function verifyReceipt(receipt: Receipt, trusted: string | null): ReceiptVerdict {
  try {
    return checked(receipt, trusted);
  } catch {
    // Anybody may have written it: whatever it is made of, it is no crash.
    return { holds: false, reason: 'it is no receipt' };
  }
}

function checked(receipt: Receipt, trusted: string | null): ReceiptVerdict {
  const no = (reason: string): ReceiptVerdict => ({ holds: false, reason });
  if (receipt.format !== 'ambit/receipt/v1') return no('it is no receipt');
  const verifier = parseVerifierKey(trusted ?? receipt.key);
  if (verifier === null) return no(`\`${trusted ?? receipt.key}\` is no verifier key`);
  const checkpoint = parseCheckpoint(receipt.checkpoint);
  if (checkpoint === null) return no('its checkpoint is none');
  if (!belongs(checkpoint, verifier)) return no("its checkpoint is not signed by the log's key");
  if (receipt.entries.length === 0) return no('it names no record');
  const entries: Entry[] = [];
  for (const { index, entry, proof } of receipt.entries) {
    const hashes = proof.map((hash: string) => Buffer.from(hash, 'base64'));
    const root = rootFromInclusion(leafHash(entry), index, checkpoint.size, hashes);
    if (root === null || !root.equals(checkpoint.root)) return no(`record ${index} is not in the checkpoint's tree`);
    const said = JSON.parse(entry) as Entry;
    if (said.seq !== index) return no(`the leaf at ${index} says that it is ${said.seq}`);
    if (said.session !== receipt.session) return no(`record ${index} is not of session \`${receipt.session}\``);
    entries.push(said);
  }
  return { holds: true, checkpoint, entries };
}

function belongs(checkpoint: SignedCheckpoint, verifier: Verifier): boolean {
  return checkpoint.origin === verifier.name && signedBy(checkpoint.note, verifier);
}
