/** Every limit of this package, unit last. */
export const limits = {
  /** To open a connection to the server. */
  connectMsMax: 5_000,
  /** From the start of a query until progress is shown. */
  progressAfterMs: 700,
  /** Between two renewals of the progress line. */
  progressEveryMs: 200,
  /** From a signal until the server gives up waiting for the sessions that are open. */
  drainMsMax: 10_000,
  /** Between two looks for reviews that are new, revoked or gone. */
  reviewsEveryMs: 2_000,
  /** Of contracts, policies, environments and reviews of a commit. */
  treeFilesMax: 20_000,
  /** Of what git says at once. */
  gitBytesMax: 256 * 1024 ** 2,
  /** Of the history of a contract. */
  historyCommitsMax: 5_000,
  /** Roles with a purpose that a review carries of a replay: those with the most sessions. */
  replayGroupsMax: 1_000,
  /** Between two looks for files that have changed; longer where a look takes long. */
  watchEveryMs: 500,
  /** A look takes no more than this part of the time. */
  watchShareMax: 1 / 20,
  /** Files that changed are read when nothing has changed for so long: a checkout changes many. */
  watchQuietMs: 250,
  /** A folder that never comes to rest is read all the same. */
  watchUnrestMsMax: 30_000,
  /** A clock of files may be behind this much. */
  watchClockMs: 50,
  /** Differences between boundaries that are kept in memory. */
  differencesKeptMax: 500,
  /** A reload that failed because of the moment, not because of what files say, is tried again after so long. */
  reloadAgainMs: 5_000,
  /** Problems of a reload that the evidence keeps. */
  reloadProblemsMax: 100,
} as const;
