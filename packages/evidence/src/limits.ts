/** Every limit of this package. */
export const limits = {
  /** A segment that has reached this is closed. */
  segmentBytesMax: 16 * 1024 * 1024,
  /** A record: never truncated, so one that is longer is refused before its session opens. */
  recordBytesMax: 8 * 1024 * 1024,
  /** Written by one write and made durable by one sync. */
  batchRecordsMax: 1_024,
  /** Kept on disk so that outcomes still fit when the disk is full. */
  reserveBytes: 4 * 1024 * 1024,
  /** Outcomes kept in memory while the log cannot be written. */
  heldOutcomesMax: 10_000,
  /** Whole tiles of the tree kept in memory while the disk does not take them. */
  unpublishedTilesMax: 4_096,
  /** How far the checkpoint on the disk may lag behind. */
  publishDelayMs: 1_000,
  /** Between two attempts to write again. */
  healDelayMs: 250,
  /** Read first of a segment by whoever needs its header alone. */
  headerBytes: 4 * 1024,
  /** Lengths of sealed texts are multiples of this. */
  sealedStepBytes: 256,
  /** Between two looks for keys that were destroyed and of which the log does not say so yet. */
  sealsIntervalMs: 1_000,
  /** Read at once by whoever reads records in their order. */
  readBytes: 256 * 1024,
  /** Between two looks whether there is a checkpoint that witnesses have not cosigned. */
  witnessEveryMs: 2_000,
  /** A witness that has not answered by then has failed. */
  witnessAnswerMsMax: 5_000,
  /** Read of its answer. */
  witnessAnswerBytesMax: 64 * 1024,
  /** A witness that fails is asked again after `witnessEveryMs`, then after twice that, up to this. */
  witnessBackoffMsMax: 60_000,
  /** From the order to stop until witnesses are no longer waited for. */
  witnessCloseMsMax: 2_000,
} as const;
