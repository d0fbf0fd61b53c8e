/** Every limit of this package. The first two are shorter than those after which the engine kills a worker that does not answer. */
export const limits = {
  /** From a cancel until a consumer who takes nothing is cut off: its session's outcome waits behind what it does not take. */
  cancelGraceMs: 300,
  /** The same from a session's deadline. */
  deadlineGraceMs: 500,
  /** Between two looks for closed segments that are not in the tables of the evidence yet. */
  tablesIntervalMs: 5_000,
  /** Rows of one table of the evidence that are written as one group, at once: sessions wait for so long. */
  rowsBufferedBytes: 128 * 1024,
  /** The tables are built for so long at a time, and sessions have their turn. */
  buildingMs: 2,
  /** How long they have it where nobody waits for the tables. */
  buildingPauseMs: 8,
  /** Sessions that run, remembered by whoever makes the tables of the evidence. */
  intentsKeptMax: 10_000,
  grantsKeptMax: 100,
  boundariesKeptMax: 20,
  reviewsKeptMax: 20,
  /** Parts of one segment from which on they are made one as soon as nobody reads them. */
  partsMax: 16,
  /** Parts of one segment from which on new readers wait until those that read have ended. */
  partsWaitedForMax: 256,
  /** What is sealed of one outcome: with it, and written twice as long, a record is not longer than one may be. */
  sealedCharactersMax: 2 * 1024 * 1024,
  /** A look at the data of a product takes no longer. */
  inspectMs: 10 * 60_000,
  /** Runs of a replay, as long as nothing but the order of its rows can differ from the recorded ones. */
  replayRunsMax: 5,
  /** Between two looks for products whose rules nobody has looked at yet. */
  qualityNewMs: 5_000,
  /** From a check that could not read a table, which is closed because of that, until the next. */
  qualityAgainMs: 60_000,
  /** Objects that the record of a check names. */
  qualityObjectsMax: 1_000,
  /** Bytes that the answer to a rule may have: it is one row of one or two numbers. */
  qualityAnswerBytesMax: 64 * 1024,
  /** Files that an environment extends, one the other. */
  environmentBasesMax: 8,
  /** Asking for the keys of a role: so often, and for so long at a time. */
  roleAttemptsMax: 3,
  roleAnswerMs: 10_000,
  /** Roles' keys that are kept. */
  rolesKeptMax: 1_000,
  /** Kept keys are given out only if they outlive the session by so much. */
  keySpareMs: 60_000,
  /** Name of who has taken a role, as its owner's records have it: what the protocol admits. */
  roleSessionNameCharactersMax: 64,
  /** A policy that comes with the taking of a role. */
  sessionPolicyCharactersMax: 2_048,
} as const;
