import { join } from 'node:path';
import { parseCheckpoint, type SignedCheckpoint } from './checkpoint.ts';
import { EvidenceDamaged } from './errors.ts';
import type { Files } from './files.ts';
import { limits } from './limits.ts';
import { consistencyProof } from './merkle.ts';
import { parseVerifierKey, signatureOf, signedBy, verifierKey } from './note.ts';
import { CHECKPOINT, type Published, type Publisher } from './publisher.ts';
import { askWitness, type Witness, type WitnessAddress, witnessOf } from './witness.ts';

/** Where the newest cosigned checkpoint lies. With the id of a witness's key behind it: the newest that this witness cosigned. */
const COSIGNED = `${CHECKPOINT}.cosigned`;

/** Whether a file of this name holds a cosigned checkpoint. */
export function isCosigned(name: string): boolean {
  return name.startsWith(COSIGNED) && /^(\.[0-9a-f]{8})?$/.test(name.slice(COSIGNED.length));
}

interface Asked {
  readonly witness: Witness;
  /** What it cosigned last, as far as is known: it says so itself when it is another. */
  size: number;
  failures: number;
  /** Before that it is not asked again, in milliseconds since 1970. */
  nextAt: number;
}

interface Options {
  readonly files: Files;
  readonly folder: string;
  readonly publisher: Publisher;
  readonly witnesses: readonly WitnessAddress[];
  /** Told when a witness fails, and when it cosigns again. */
  readonly tell: (message: string) => void;
}

/**
 * Has the published checkpoints cosigned, behind everybody's back: no record waits for a witness, and one that fails in
 * whatever way changes nothing but that its signature is not there.
 */
export class Cosigning {
  readonly #options: Options;
  readonly #asked: readonly Asked[];
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  /** The newest cosigned checkpoint. */
  #newest: SignedCheckpoint | null = null;
  #note = '';
  #round: Promise<void> | null = null;
  #writing: Promise<unknown> = Promise.resolve();

  private constructor(options: Options) {
    this.#options = options;
    this.#asked = options.witnesses.map((address) => ({
      witness: witnessOf(address),
      size: 0,
      failures: 0,
      nextAt: 0,
    }));
  }

  /** Reads what was cosigned. Throws `EvidenceWitnessInvalid`; `EvidenceDamaged` where more was cosigned than there is. */
  static async open(options: Options): Promise<Cosigning> {
    const { files, folder, publisher } = options;
    const cosigning = new Cosigning(options);
    const bytes = await files.read(join(folder, COSIGNED)).catch(() => null);
    const found = bytes === null ? null : parseCheckpoint(bytes.toString('utf8'));
    const { size } = publisher.head();
    if (found !== null && found.size > size) {
      throw new EvidenceDamaged(`a cosigned checkpoint covers ${found.size} records, and ${size} are there`);
    }
    if (bytes !== null && found !== null) cosigning.#remember(found, bytes.toString('utf8'));
    return cosigning;
  }

  /** Asks from here on. */
  begin(): void {
    if (this.#asked.length === 0) return;
    this.#timer = setInterval(() => this.#look(), limits.witnessEveryMs).unref();
    this.#look();
  }

  /** The newest cosigned checkpoint that the key of now signed, and how many records it covers. */
  newest(): Published | null {
    const own = parseVerifierKey(verifierKey(this.#options.publisher.signer));
    if (this.#newest === null || own === null || !signedBy(this.#newest.note, own)) return null;
    return { size: this.#newest.size, note: this.#note };
  }

  /** Asks once more for what was written last, and waits no longer than its limit. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    const late = setTimeout(() => this.#stop.abort(), limits.witnessCloseMsMax);
    await this.#round;
    this.#look();
    await this.#round;
    clearTimeout(late);
    this.#stop.abort();
    await this.#writing;
  }

  #look(): void {
    const { published } = this.#options.publisher;
    if (this.#round !== null || this.#stop.signal.aborted || published === null) return;
    const now = Date.now();
    const due = this.#asked.filter(({ size, nextAt }) => size < published.size && nextAt <= now);
    if (due.length === 0) return;
    this.#pin(published.size);
    this.#round = Promise.all(due.map((asked) => this.#ask(asked, published))).then(() => {
      this.#round = null;
      this.#pin();
    });
  }

  async #ask(asked: Asked, published: Published): Promise<void> {
    const reason = await this.#cosigned(asked, published).catch((error: unknown) => (error as Error).message);
    // Stopping is no fault of the witness.
    if (reason !== null && this.#stop.signal.aborted) return;
    const { name } = asked.witness.verifier;
    if (reason === null && asked.failures > 0) this.#options.tell(`witness ${name} cosigns again`);
    if (reason !== null && asked.failures === 0) this.#options.tell(`witness ${name} does not cosign: ${reason}`);
    asked.failures = reason === null ? 0 : asked.failures + 1;
    const waits = limits.witnessEveryMs * 2 ** Math.min(asked.failures, 20);
    asked.nextAt = reason === null ? 0 : Date.now() + Math.min(limits.witnessBackoffMsMax, waits);
  }

  /** Null, or why it is not. */
  async #cosigned(asked: Asked, { size, note }: Published): Promise<string | null> {
    // It may have cosigned another size than is known here, once: whoever says so again is making it up.
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const proof = await consistencyProof(asked.size, size, this.#options.publisher.node);
      const answer = await askWitness(asked.witness, { old: asked.size, proof, note }, this.#stop.signal);
      if (answer.kind === 'failed') return answer.reason;
      if (answer.kind === 'cosigned') {
        asked.size = size;
        await this.#keep(asked.witness, { size, note }, answer.line);
        return null;
      }
      if (answer.size > size) {
        return `it has cosigned ${answer.size} records of this log, and there are ${size}: was it cut back, or does another server write one of this name?`;
      }
      if (answer.size === asked.size) break;
      asked.size = answer.size;
    }
    return asked.size === size
      ? `it has cosigned another tree of ${size} records: this log has two histories`
      : 'it does not say which size it cosigned last';
  }

  /** Several witnesses may answer at once: one is written at a time. */
  #keep({ verifier }: Witness, published: Published, line: string): Promise<void> {
    const { files, folder, publisher } = this.#options;
    const keeping = this.#writing.then(async () => {
      const own = `${COSIGNED}.${verifier.id.toString(16).padStart(8, '0')}`;
      await files.replace(join(folder, own), Buffer.from(published.note + line));
      const note = published.note + this.#others(published.note, verifier.id) + line;
      const checkpoint = parseCheckpoint(note);
      if (checkpoint === null) throw new Error('what was cosigned is no checkpoint');
      await files.replace(join(folder, COSIGNED), Buffer.from(note));
      this.#remember(checkpoint, note);
      await publisher.cosigned({ size: published.size, note });
    });
    this.#writing = keeping.catch(() => undefined);
    return keeping;
  }

  #remember(checkpoint: SignedCheckpoint, note: string): void {
    this.#newest = checkpoint;
    this.#note = note;
    this.#pin();
  }

  /** What others have cosigned of the same checkpoint. */
  #others(note: string, id: number): string {
    const asked = parseCheckpoint(note);
    if (asked === null || this.#newest?.note.text !== asked.note.text) return '';
    const ids = [id, ...asked.note.signatures.map((signature) => signature.id)];
    return this.#newest.note.signatures
      .filter((one) => !ids.includes(one.id))
      .map(signatureOf)
      .join('');
  }

  /** Whoever reads by a cosigned checkpoint, or is asked to cosign one, finds its tiles. */
  #pin(asked: number | null = null): void {
    const { publisher } = this.#options;
    publisher.pinned = [this.#newest?.size ?? null, asked].filter((size) => size !== null);
  }
}
