/** What is wrong, in one word. */
export type ProblemKind =
  /** A record is not the one that the tree holds. */
  | 'changed'
  /** A record that the tree holds is not there. */
  | 'missing'
  /** A record is there that the tree does not hold. */
  | 'inserted'
  | 'moved'
  /** The end of the log is not there. */
  | 'cut'
  /** The first line of a segment. */
  | 'header'
  /** A checkpoint is missing, not one, or not of this tree. */
  | 'checkpoint'
  /** Signed by a key that was not handed over to, or that is not the trusted one. */
  | 'key'
  /** A file of the tree. */
  | 'tile'
  /** Two heads of one log that cannot both be true. */
  | 'forked'
  /** What records say contradicts itself. */
  | 'story';

/** What is wrong, and where. */
export interface Problem {
  readonly kind: ProblemKind;
  readonly segment: number | null;
  /** Bytes from the segment's start. */
  readonly offset: number | null;
  /** First and last record that it is about. */
  readonly records: readonly [number, number] | null;
  /** One sentence, lower case, no final stop. */
  readonly reason: string;
}
