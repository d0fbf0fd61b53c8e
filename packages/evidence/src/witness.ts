import { EvidenceWitnessInvalid } from './errors.ts';
import { limits } from './limits.ts';
import { parseVerifierKey, parseSignatures, signatureOf, signedBy, type Verifier } from './note.ts';
import { parseCheckpoint } from './checkpoint.ts';

// The asking side of C2SP tlog-witness.

/** A witness as an environment names it. */
export interface WitnessAddress {
  /** Submission prefix: `/add-checkpoint` is added. */
  readonly url: string;
  /** Verifier key, as `name+id+key`, of a cosignature/v1 key. */
  readonly key: string;
}

/** Somebody who cosigns checkpoints that grow, and no others. */
export interface Witness {
  readonly url: URL;
  readonly verifier: Verifier;
}

/** What a witness is asked. */
export interface WitnessRequest {
  /** Size that it cosigned last, as far as is known. */
  readonly old: number;
  /** Proof that the checkpoint's tree begins with the one of that size. */
  readonly proof: readonly Buffer[];
  /** The checkpoint, a signed note. */
  readonly note: string;
}

/** What a witness answered. No reason holds what it sent. */
export type WitnessAnswer =
  /** The line of its signature, which holds for the checkpoint. */
  | { readonly kind: 'cosigned'; readonly line: string }
  /** It cosigned another size last. */
  | { readonly kind: 'size'; readonly size: number }
  | { readonly kind: 'failed'; readonly reason: string };

const LOOPBACK = ['127.0.0.1', '[::1]', 'localhost'];

/** Throws `EvidenceWitnessInvalid` for one that cannot be asked, or whose signature could not be checked. */
export function witnessOf({ url: text, key }: WitnessAddress): Witness {
  const verifier = parseVerifierKey(key);
  if (verifier?.kind !== 'cosignature') {
    throw new EvidenceWitnessInvalid(`\`${key}\` is no verifier key of a witness: name+id+key of an Ed25519 cosigner`);
  }
  const url = URL.canParse(text) ? new URL(text) : null;
  const wrong = (what: string): never => {
    throw new EvidenceWitnessInvalid(`the URL of witness ${verifier.name} ${what}`);
  };
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) return wrong('is no http or https URL');
  if (url.username !== '' || url.password !== '') return wrong('holds a credential');
  if (url.search !== '' || url.hash !== '') return wrong('has more than a path');
  if (url.protocol === 'http:' && !LOOPBACK.includes(url.hostname)) return wrong('is not https');
  url.pathname = `${url.pathname.replace(/\/$/, '')}/add-checkpoint`;
  return { url, verifier };
}

/** Asks once. Never throws, takes no longer and reads no more than its limits, follows no redirect. */
export async function askWitness(
  { url, verifier }: Witness,
  request: WitnessRequest,
  stopped: AbortSignal,
): Promise<WitnessAnswer> {
  const given = new AbortController();
  const stop = (): void => given.abort();
  const late = setTimeout(stop, limits.witnessAnswerMsMax);
  stopped.addEventListener('abort', stop, { once: true });
  const { signal } = given;
  try {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'text/plain; charset=utf-8' },
      body: bodyOf(request),
      redirect: 'manual',
      signal,
    });
    const text = await readText(answer);
    if (text === null) return failed(`it answers more than ${limits.witnessAnswerBytesMax} bytes`);
    if (answer.status === 409) return sizeOf(text);
    if (answer.status !== 200) return failed(REASONS[answer.status] ?? `it answers ${answer.status}`);
    return cosignatureOf(text, request.note, verifier);
  } catch (error) {
    return failed(signal.aborted ? 'it does not answer' : unreachable(error));
  } finally {
    clearTimeout(late);
    stopped.removeEventListener('abort', stop);
  }
}

const REASONS: Readonly<Record<number, string>> = {
  403: 'it does not trust the key of this log (403): give it the verifier key',
  404: 'it does not know this log (404): give it the origin and the verifier key',
  422: 'it refuses the proof that this log only grew (422): it may have seen another log of this name',
};

function failed(reason: string): WitnessAnswer {
  return { kind: 'failed', reason };
}

function bodyOf({ old, proof, note }: WitnessRequest): string {
  return `old ${old}\n${proof.map((hash) => `${hash.toString('base64')}\n`).join('')}\n${note}`;
}

/** Null: there is more than is read. */
async function readText({ body }: Response): Promise<string | null> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  // Leaving the loop early ends the connection.
  for await (const chunk of body ?? []) {
    bytes += (chunk as Uint8Array).length;
    if (bytes > limits.witnessAnswerBytesMax) return null;
    chunks.push(chunk as Uint8Array);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function sizeOf(text: string): WitnessAnswer {
  const [, size] = /^(0|[1-9][0-9]{0,15})\n$/.exec(text) ?? [];
  if (!Number.isSafeInteger(Number(size))) return failed('it answers 409, and no size');
  return { kind: 'size', size: Number(size) };
}

/** The signature of this key among the lines; those of others are nobody's here. */
function cosignatureOf(text: string, note: string, verifier: Verifier): WitnessAnswer {
  const checkpoint = parseCheckpoint(note);
  for (const signature of parseSignatures(text) ?? []) {
    if (checkpoint === null || !signedBy({ ...checkpoint.note, signatures: [signature] }, verifier)) continue;
    return { kind: 'cosigned', line: signatureOf(signature) };
  }
  return failed('it answers 200, and no cosignature of its key that holds');
}

function unreachable(error: unknown): string {
  const code = (error as { cause?: { code?: unknown } }).cause?.code;
  return `it cannot be reached${typeof code === 'string' ? ` (${code})` : ''}`;
}
