import { join } from 'node:path';
import { type Aligned, align } from './align.ts';
import { type SignedCheckpoint, originOf, parseCheckpoint } from './checkpoint.ts';
import { isCosigned } from './cosigning.ts';
import { entryOf } from './entry.ts';
import { disk, type Files } from './files.ts';
import { Growing, leafHash } from './merkle.ts';
import { cosignedAt, parseVerifierKey, signedBy } from './note.ts';
import type { Problem, ProblemKind } from './problem.ts';
import { CHECKPOINT } from './publisher.ts';
import { decodeLines, type SegmentHeader, segmentName, segmentsOf } from './segment.ts';
import { readTree, type SignedTree } from './signed-tree.ts';
import { Story } from './story.ts';

/** What a reader of the folder found. Reads only; needs no server. */
export interface Verification {
  readonly log: string | null;
  readonly segments: number;
  readonly records: number;
  /** Records before the first segment: retention removed them, and their tree is there. */
  readonly pruned: number;
  /** Verifier keys in the order in which they signed. */
  readonly keys: readonly string[];
  /** Whether one of them was trusted beforehand. Without, the log is whole, and nobody says whose it is. */
  readonly trusted: boolean;
  /** Records that the last checkpoint covers. */
  readonly signed: number;
  /** Whole records after it: a process that was killed left them. */
  readonly unsigned: number;
  /** Bytes after the last whole record, of a process that was killed. They were never acknowledged. */
  readonly tornBytes: number;
  /** Sessions without an outcome. */
  readonly open: number;
  /** What the witnesses that were asked for have cosigned. */
  readonly witnessed: readonly Witnessed[];
  readonly problems: readonly Problem[];
}

/** The newest checkpoint of the log that a witness cosigned. */
export interface Witnessed {
  readonly name: string;
  /** Records that it covers. */
  readonly size: number;
  /** When the witness cosigned it, by its clock, in UTC. */
  readonly at: string;
}

/** What a verification may lean on. */
export interface Trust {
  /** Verifier key that was got another way. */
  readonly key?: string;
  /** Verifier keys of witnesses, each of which must have cosigned a checkpoint of this log. */
  readonly witnesses?: readonly string[];
  /** Checkpoints that somebody kept: the log must begin with each of their trees. */
  readonly checkpoints?: readonly string[];
  readonly files?: Files;
}

/** Checks a folder, or a copy of one, against its own tree, the tree against its checkpoints, and both against what is trusted. */
export async function verifyLog(
  folder: string,
  { key, checkpoints = [], witnesses = [], files = disk }: Trust = {},
): Promise<Verification> {
  const report = new Report(folder, files);
  const kept = checkpoints.map((text) => report.kept(text)).filter((checkpoint) => checkpoint !== null);
  // Before the head: of a log that is written, none of these covers more.
  const cosigned = await report.cosigned();
  const head = await report.head();
  report.tree = await readTree(files, folder, head, (problem) => report.problem(problem));
  const segments = segmentsOf(await files.list(folder).catch(() => []));
  let read = await readSegment(files, folder, segments[0]);
  for (const [at, segment] of segments.entries()) {
    const next = await readSegment(files, folder, segments[at + 1]);
    const follows = segments[at + 1] === segment + 1 ? (next?.header ?? null) : next === null ? null : 'lost';
    if (read !== null) await report.segment(segment, read, segments[at - 1] ?? null, follows);
    read = next;
  }
  await report.end(head, [...kept, ...cosigned], key ?? null);
  report.witnesses([...(head === null ? [] : [head]), ...cosigned], witnesses);
  return report.verification(segments.length, key ?? null);
}

type Read = ReturnType<typeof decodeLines>;
type Line = Read['lines'][number];

async function readSegment(files: Files, folder: string, segment: number | undefined): Promise<Read | null> {
  return segment === undefined ? null : decodeLines(await files.read(join(folder, segmentName(segment))));
}

type Found = Omit<Problem, 'segment' | 'offset' | 'records'> & Partial<Problem>;

/** Lines before `to`: what lies after the next segment's beginning was written, and never acknowledged. */
function acknowledged(lines: readonly Line[], to: number): readonly Line[] {
  const last = lines.findLastIndex((line) => !('record' in line) || !(line.record.seq >= to));
  return lines.slice(0, last + 1);
}

class Report {
  readonly #files: Files;
  readonly #folder: string;
  readonly #problems: Problem[] = [];
  readonly #story = new Story((problem) => this.problem(problem));
  /** Of the records as they lie there; where a tree is signed, that one is compared with. */
  readonly #grown = new Growing();
  tree: SignedTree | null = null;
  #records = 0;
  #pruned = 0;
  #next = 0;
  #unsigned = 0;
  #tornBytes = 0;
  #broken = false;
  readonly #witnessed: Witnessed[] = [];

  constructor(folder: string, files: Files) {
    this.#folder = folder;
    this.#files = files;
  }

  problem(found: Found): void {
    this.#problems.push({ segment: null, offset: null, records: null, ...found });
  }

  kept(text: string): SignedCheckpoint | null {
    const checkpoint = parseCheckpoint(text);
    if (checkpoint === null) this.problem({ kind: 'checkpoint', reason: 'what was kept as a checkpoint is none' });
    return checkpoint;
  }

  /** Checkpoints in the folder that witnesses cosigned. */
  async cosigned(): Promise<readonly SignedCheckpoint[]> {
    const names = await this.#files.list(this.#folder).catch(() => []);
    const read = names.filter(isCosigned).map(async (name) => {
      const checkpoint = parseCheckpoint((await this.#files.read(join(this.#folder, name))).toString('utf8'));
      if (checkpoint === null) this.problem({ kind: 'checkpoint', reason: `the file \`${name}\` holds no checkpoint` });
      return checkpoint;
    });
    return (await Promise.all(read)).filter((checkpoint) => checkpoint !== null);
  }

  async head(): Promise<SignedCheckpoint | null> {
    const bytes = await this.#files.read(join(this.#folder, CHECKPOINT)).catch(() => null);
    const head = bytes === null ? null : parseCheckpoint(bytes.toString('utf8'));
    if (bytes === null) {
      this.problem({ kind: 'checkpoint', reason: 'there is no checkpoint: nobody can tell where the log ends' });
    } else if (head === null) this.problem({ kind: 'checkpoint', reason: 'the file `checkpoint` holds none' });
    return head;
  }

  async segment(
    segment: number,
    { header, lines, torn }: Read,
    before: number | null,
    next: SegmentHeader | 'lost' | null,
  ): Promise<void> {
    if (header === null) {
      this.#broken = true;
      this.problem({ kind: 'header', segment, offset: 0, reason: 'the segment has no header' });
      return;
    }
    if (before === null || this.#story.log === null) this.#begin(segment, header);
    else if (segment !== before + 1) this.#gap(before + 1, header);
    await this.#header(segment, header);
    if (next === null) this.#tornBytes = torn;
    const to = next === null ? Number.POSITIVE_INFINITY : next === 'lost' ? header.first + lines.length : next.first;
    await this.#lines(segment, header.first, to, acknowledged(lines, to));
    this.#next = to === Number.POSITIVE_INFINITY ? header.first + lines.length : to;
  }

  #begin(segment: number, header: SegmentHeader): void {
    this.#story.begin(header);
    if (segment === 1) return;
    this.#pruned = header.first;
    this.#next = header.first;
    this.#story.pruned = { segment: segment - 1, first: header.first };
  }

  #gap(missing: number, header: SegmentHeader): void {
    const records = header.first > this.#next ? ([this.#next, header.first - 1] as const) : null;
    this.problem({ kind: 'missing', segment: missing, records, reason: `${segmentName(missing)} is missing` });
    this.#story.lost(header);
    this.#next = header.first;
    this.#broken = true;
  }

  async #header(segment: number, header: SegmentHeader): Promise<void> {
    const wrong = (reason: string, kind: ProblemKind = 'header'): void =>
      this.problem({ kind, segment, offset: 0, reason });
    if (header.segment !== segment) wrong(`the header says that it is segment ${header.segment}`);
    for (const reason of this.#story.header(header)) wrong(reason);
    const checkpoint = parseCheckpoint(header.checkpoint);
    if (checkpoint === null) return wrong("the header's checkpoint is none", 'checkpoint');
    if (checkpoint.size !== header.first) return wrong("the header's checkpoint is of another size", 'checkpoint');
    this.#signature(checkpoint, `the checkpoint of ${segmentName(segment)}`, header.first);
    const root = (await this.tree?.rootAt(header.first)) ?? (this.#broken ? null : this.#rootAt(header.first));
    if (root !== null && !root.equals(checkpoint.root)) {
      wrong(`the records before it are not those of its checkpoint of ${header.first}`, 'checkpoint');
    }
  }

  #rootAt(size: number): Buffer | null {
    return this.#pruned === 0 && this.#grown.size === size ? this.#grown.root() : null;
  }

  /** Whether the key that was in use then signed it. */
  #signature({ origin, note }: SignedCheckpoint, what: string, size: number): void {
    const { log } = this.#story;
    if (log !== null && origin !== originOf(log))
      this.problem({ kind: 'checkpoint', reason: `${what} is of another log` });
    const key = this.#story.keyAt(size);
    // Who signed then went with a segment that was removed: the tree, which stays, has to tell.
    if (key === null && size < this.#pruned) return;
    const verifier = key === null ? null : parseVerifierKey(key);
    if (verifier === null || !signedBy(note, verifier)) {
      this.problem({ kind: 'key', reason: `${what} is not signed by the log's key` });
    }
  }

  async #lines(segment: number, first: number, to: number, lines: readonly Line[]): Promise<void> {
    const leaves = lines.map((line) => ('record' in line ? leafHash(entryOf(line.record, line.digest)) : null));
    const expected = (await this.tree?.leaves(first, to)) ?? null;
    if (expected === null) this.#inOrder(segment, lines, leaves);
    else {
      // The checkpoint may end here, and the log go on.
      const open = to > (this.tree?.size ?? 0);
      for (const found of align(leaves, expected, open)) this.#unlike(segment, first, lines, found);
      if (open) this.#after(segment, first, lines, expected.length);
    }
    for (const line of lines) {
      if (!('record' in line)) continue;
      this.#records += 1;
      this.#story.record(line.record, segment, line.offset);
    }
  }

  /** Lines that no checkpoint covers yet: they must at least be whole, and follow each other. */
  #after(segment: number, first: number, lines: readonly Line[], covered: number): void {
    for (const [at, line] of lines.entries()) {
      if (at < covered) continue;
      this.#unsigned += 1;
      const { offset } = line;
      if (!('record' in line)) this.problem({ kind: 'changed', segment, offset, reason: line.reason });
      else if (line.record.seq !== first + at) this.#absent(segment, offset, first + at);
    }
  }

  #absent(segment: number, offset: number, seq: number): void {
    const reason = `record ${seq} is missing or out of order`;
    this.problem({ kind: 'missing', segment, offset, records: [seq, seq], reason });
  }

  #unlike(
    segment: number,
    first: number,
    lines: readonly { readonly offset: number; readonly reason?: string }[],
    { kind, line, expected }: Aligned,
  ): void {
    const offset = line === null ? null : (lines[line]?.offset ?? null);
    const records = expected === null ? null : ([first + expected[0], first + expected[1]] as const);
    const named =
      records === null
        ? 'a record'
        : records[0] === records[1]
          ? `record ${records[0]}`
          : `records ${records[0]} to ${records[1]}`;
    const said = {
      changed: 'is not what the tree holds',
      missing: 'is missing',
      inserted: 'is not in the tree',
      moved: 'is not in its place',
      cut: 'at the end of the log is missing',
    }[kind];
    const why = line === null ? '' : (lines[line]?.reason ?? '');
    this.problem({ kind, segment, offset, records, reason: `${named} ${said}${why === '' ? '' : `: ${why}`}` });
  }

  /** Without a tree to compare with, a record must at least fit between its neighbours. */
  #inOrder(segment: number, lines: readonly Line[], leaves: readonly (Buffer | null)[]): void {
    for (const [at, line] of lines.entries()) {
      const { offset } = line;
      const leaf = leaves[at] ?? null;
      if (!('record' in line) || leaf === null) {
        this.problem({ kind: 'changed', segment, offset, reason: 'reason' in line ? line.reason : 'not a record' });
        this.#broken = true;
        continue;
      }
      const { seq } = line.record;
      if (seq !== this.#next) {
        this.#absent(segment, offset, this.#next);
        this.#broken = true;
      }
      this.#next = seq + 1;
      this.#grown.add(leaf);
    }
  }

  #ends({ size, root }: SignedCheckpoint): void {
    if (this.#next < size) {
      this.problem({
        kind: 'cut',
        records: [this.#next, size - 1],
        reason: `records ${this.#next} to ${size - 1} are missing`,
      });
    } else if (this.#rootAt(size)?.equals(root) === false) {
      this.problem({ kind: 'checkpoint', reason: `the records are not those of the checkpoint of ${size}` });
    }
  }

  async end(head: SignedCheckpoint | null, kept: readonly SignedCheckpoint[], trusted: string | null): Promise<void> {
    this.#story.end();
    const signed = head?.size ?? 0;
    if (this.#story.log === null && signed > 0) {
      this.problem({ kind: 'cut', records: [0, signed - 1], reason: `records 0 to ${signed - 1} are missing` });
    }
    // Without a tree nothing else tells the end.
    if (this.tree === null && head !== null && !this.#broken) this.#ends(head);
    const { keys } = this.#story;
    if (trusted !== null && !keys.includes(trusted)) {
      const since = this.#pruned > 0 ? ` since record ${this.#pruned}, before which segments were removed` : '';
      this.problem({ kind: 'key', reason: `the log was never signed by the trusted key${since}` });
    }
    if (head !== null) this.#signature(head, 'the checkpoint', head.size);
    for (const checkpoint of kept) {
      const { size, root } = checkpoint;
      this.#signature(checkpoint, `the kept checkpoint of ${size}`, size);
      const now = (await this.tree?.rootAt(size)) ?? null;
      if (size > signed) {
        this.problem({
          kind: 'cut',
          records: [signed, size - 1],
          reason: `the log had ${size} records when a checkpoint was kept`,
        });
      } else if (now !== null && !now.equals(root)) {
        this.problem({
          kind: 'forked',
          records: null,
          reason: `a kept checkpoint of ${size} records is of another history${size < this.#pruned ? ', or of another log: the key that signed then went with the segments that were removed' : ''}`,
        });
      }
    }
  }

  witnesses(checkpoints: readonly SignedCheckpoint[], witnesses: readonly string[]): void {
    for (const text of witnesses) {
      const witness = parseVerifierKey(text);
      if (witness === null) {
        this.problem({ kind: 'key', reason: `\`${text}\` is no verifier key of a witness` });
        continue;
      }
      const { name } = witness;
      const found = checkpoints.flatMap(({ size, note }) => {
        const at = cosignedAt(note, witness);
        return at === null ? [] : [{ name, size, at: instant(at) }];
      });
      const newest = found.toSorted((a, b) => b.size - a.size)[0];
      if (newest !== undefined) this.#witnessed.push(newest);
      else this.problem({ kind: 'checkpoint', reason: `no checkpoint of the log is cosigned by ${name}` });
    }
  }

  verification(segments: number, trusted: string | null): Verification {
    const { log, keys, open } = this.#story;
    return {
      log,
      segments,
      records: this.#records,
      pruned: this.#pruned,
      keys,
      trusted: trusted !== null && keys.includes(trusted),
      signed: this.tree?.size ?? 0,
      unsigned: this.#unsigned,
      tornBytes: this.#tornBytes,
      open,
      witnessed: this.#witnessed,
      problems: this.#problems,
    };
  }
}

/** As a record has it. A witness may say any number of seconds. */
function instant(seconds: number): string {
  const at = new Date(seconds * 1_000);
  return Number.isNaN(at.getTime()) ? `${seconds} s after 1970` : at.toISOString();
}
