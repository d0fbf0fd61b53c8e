/** Every limit of this package. */
export const limits = {
  /** A segment that has reached this is closed. */
  segmentBytesMax: 16 * 1024 * 1024,
  /** A record: never truncated, so one that is longer is refused before its session opens. */
  recordBytesMax: 8 * 1024 * 1024,
  /** Written by one write and made durable by one sync. */
  batchRecordsMax: 1_024,
  /** Of a batch, about; a record alone may be longer. */
  batchBytesMax: 16 * 1024 * 1024,
  /** A record waits for others while so many sessions are open, unless as many records are there. */
  gatherSessionsMin: 8,
  /** For how long, and as long again while others come. */
  gatherMs: 1,
  /** In all. */
  gatherMsMax: 4,
  /** Names of members that are kept as records have them. */
  namesKeptMax: 1_024,
  /** Of zeros, made behind what is written to a segment whenever there are none left. */
  roomBytes: 1024 * 1024,
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
  /** Between two looks at the database of a shared log, where it did not call. */
  lookDelayMs: 1_000,
  /** A server that is away at so many looks in a row, and appended nothing between them, is lost. */
  missedLooksMax: 3,
  /** A server that others were faster than so often appends in turn. */
  overtakenMax: 3,
  /** An append that came to nothing so often is given up: in its turn nobody is faster, so that the connection must be lost each time. */
  attemptsMax: 20,
  /** How long an append waits for a database that went away. */
  reconnectMs: 3_000,
  /** Between two attempts to connect. */
  reconnectDelayMs: 100,
  connectMs: 2_000,
  /** An answer of the database. */
  databaseAnswerMs: 10_000,
  /** How long the database lets a server that says nothing keep others from appending. */
  turnMs: 2_000,
  /** Batches of others that are fetched at once. */
  fetchedBatchesMax: 256,
  fetchedBytesMax: 32 * 1024 * 1024,
  /** How long the database waits for a server that takes nothing it is sent, before it takes the connection for lost. */
  untakenMs: 10_000,
  /** Segments that one step removes from a shared log. */
  prunedSegmentsMax: 8,
  /** Entry bundles that are sent or fetched at once. */
  bundlesMax: 64,
  /** Read first of a segment by whoever needs its header alone. */
  headerBytes: 4 * 1024,
  /** Lengths of sealed texts are multiples of this. */
  sealedStepBytes: 256,
  /** Between two looks for keys that were destroyed and of which the log does not say so yet. */
  sealsIntervalMs: 1_000,
  /** How long a server waits for another that makes or moves a key in the same file. */
  lockMs: 5_000,
  lockDelayMs: 10,
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
