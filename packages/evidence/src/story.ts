import { parseVerifierKey } from './note.ts';
import type { EvidenceRecord, Promised } from './record.ts';
import { followSession } from './recovery.ts';
import type { SegmentHeader } from './segment.ts';
import { rotationHolds } from './signer.ts';
import type { Problem } from './problem.ts';

type Tell = (problem: Pick<Problem, 'kind' | 'reason'> & Partial<Problem>) => void;

/** What records say, followed from one to the next: sessions, keys, time. */
export class Story {
  log: string | null = null;
  /** Verifier keys, each with the number of records from which on it signs. */
  readonly #keys: { readonly from: number; readonly key: string }[] = [];
  #open = new Map<string, number>();
  /** Checks of quality that were begun and not ended, each with what was to be checked. */
  readonly #checks = new Map<string, { readonly seq: number; readonly promises: string }>();
  /** The first record that is there since the last that was lost. */
  #from = 0;
  #at = '';
  /** By process run: several write a log that is shared. */
  readonly #monotonic = new Map<string, bigint>();
  /** What is not there any more; null if all is. */
  pruned: { readonly segment: number; readonly first: number } | null = null;
  #prunedSaid = 0;
  readonly #tell: Tell;

  constructor(tell: Tell) {
    this.#tell = tell;
  }

  get keys(): readonly string[] {
    return this.#keys.map(({ key }) => key);
  }

  /** Sessions without an outcome. */
  get open(): number {
    return this.#open.size;
  }

  /** The key that signed checkpoints of so many records; null where the record that named it is not there any more. */
  keyAt(size: number): string | null {
    return this.#keys.findLast(({ from }) => from <= size)?.key ?? null;
  }

  begin(header: SegmentHeader): void {
    this.log = header.log;
    // Before its first record another may have signed.
    this.#keys.push({ from: header.segment === 1 ? 0 : header.first, key: header.key });
    this.#resume(header);
  }

  /** Records before this header are not there: it is believed. */
  lost(header: SegmentHeader): void {
    if (this.keyAt(header.first) !== header.key) this.#keys.push({ from: header.first, key: header.key });
    this.#resume(header);
  }

  #resume({ open, after, first }: SegmentHeader): void {
    this.#from = first;
    this.#open = new Map(open);
    this.#at = after;
  }

  /** What a header says otherwise than the records before it. */
  header({ log, open, after, key, first }: SegmentHeader): readonly string[] {
    const sorted = (sessions: Iterable<readonly [string, number]>): string =>
      JSON.stringify([...sessions].toSorted(([, a], [, b]) => a - b));
    const wrong: string[] = [];
    if (log !== this.log) wrong.push(`the segment belongs to the log ${log}`);
    if (sorted(open) !== sorted(this.#open)) wrong.push('the header names other open sessions than the records');
    if (after !== this.#at) wrong.push('the header names another time than the record before it');
    if (key !== this.keyAt(first)) wrong.push('the header names another key than the records');
    return wrong;
  }

  record(record: EvidenceRecord, segment: number, offset: number): void {
    const wrong = (reason: string, kind: Problem['kind'] = 'story'): void =>
      this.#tell({
        kind,
        segment,
        offset,
        records: [record.seq, record.seq],
        reason: `record ${record.seq} ${reason}`,
      });
    this.#time(record, wrong);
    if (record.type === 'session.intent' && this.#open.has(record.session)) wrong('is a second intent of its session');
    if (record.type === 'session.outcome' && this.#open.get(record.session) !== record.intent) {
      wrong('is an outcome that answers no intent');
    }
    followSession(this.#open, record);
    if (record.type === 'quality.started' || record.type === 'quality.checked') this.#check(record, wrong);
    if (record.type === 'log.opened') this.#opened(record, wrong);
    if (record.type === 'key.rotated') this.#rotated(record, wrong);
    if (record.type === 'evidence.pruned') this.#prunedSaid = Math.max(this.#prunedSaid, record.first);
  }

  /** A check says what it will look at before it looks, and tells of that and of nothing else. */
  #check(
    record: Extract<EvidenceRecord, { type: 'quality.started' | 'quality.checked' }>,
    wrong: (reason: string) => void,
  ): void {
    if (record.type === 'quality.started') {
      if (this.#checks.has(record.check)) wrong('begins a check of quality a second time');
      this.#checks.set(record.check, { seq: record.seq, promises: promisesText(record.promises) });
      return;
    }
    const begun = this.#checks.get(record.check);
    this.#checks.delete(record.check);
    // What began it went with a segment that is not there.
    if (begun === undefined && record.started < this.#from) return;
    if (begun?.seq !== record.started) wrong('is the end of a check of quality that was not begun');
    else if (begun.promises !== promisesText(record.results)) wrong('tells of other rules than were to be checked');
  }

  #time({ at, boot, monotonic }: EvidenceRecord, wrong: (reason: string) => void): void {
    if (at < this.#at) wrong('is older than the record before it');
    this.#at = at;
    const ticks = BigInt(/^[0-9]+$/.test(monotonic) ? monotonic : '0');
    if (ticks < (this.#monotonic.get(boot) ?? 0n)) wrong('is older, by its monotonic clock, than the one before it');
    this.#monotonic.set(boot, ticks);
  }

  #opened(
    record: Extract<EvidenceRecord, { type: 'log.opened' }>,
    wrong: (reason: string, kind: Problem['kind']) => void,
  ): void {
    if (record.log !== this.log) wrong('opens another log', 'story');
    if (record.key !== this.keyAt(record.seq)) wrong('names a key that the one before did not hand over to', 'key');
  }

  #rotated(
    record: Extract<EvidenceRecord, { type: 'key.rotated' }>,
    wrong: (reason: string, kind: Problem['kind']) => void,
  ): void {
    const holds = record.from === this.keyAt(record.seq) && rotationHolds(this.log ?? '', record);
    if (!holds || parseVerifierKey(record.to) === null)
      return wrong('hands over to a key, and not both signed it', 'key');
    this.#keys.push({ from: record.seq + 1, key: record.to });
  }

  end(): void {
    if (this.pruned === null || this.#prunedSaid >= this.pruned.first) return;
    const { first } = this.pruned;
    this.#tell({
      kind: 'missing',
      segment: 1,
      records: [0, first - 1],
      reason: `records 0 to ${first - 1} are missing, and no record says that they were removed for their age`,
    });
  }
}

function promisesText(promises: readonly Promised[]): string {
  return JSON.stringify(promises.map(({ kind, table, column, name }) => [kind, table, column, name]));
}
