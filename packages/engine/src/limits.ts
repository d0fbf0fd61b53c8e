/** Every limit of this package. */
export const limits = {
  /** A cancelled session whose outcome has not come by then has its worker killed. */
  cancelGraceMs: 1_000,
  /** The same for one that overruns its deadline: planning cannot be cancelled. */
  deadlineGraceMs: 1_500,
  /** A worker that does not listen by then is killed. */
  startMsMax: 10_000,
  /** A session waits this long for a worker before it is refused. */
  acquireMsMax: 5_000,
  /** Between two restarts of a worker that keeps dying. */
  restartDelayMsMax: 2_000,
  /** A worker that lived as long is replaced at once. */
  steadyMsMin: 10_000,
  /** A worker that does not leave by then is killed. */
  retireGraceMs: 5_000,
  /** A worker that does not answer by then is not healthy. */
  healthMsMax: 2_000,
  /** A tenant's worker without sessions is retired after this. */
  tenantIdleMs: 300_000,
  /** Workers kept ready where each session has its own. */
  sparesMax: 2,
  /** Templates that a worker keeps. */
  templatesMax: 1_000,
  /** A planned or outcome frame: 1,000 tables with their plans fit many times. */
  jsonFrameBytesMax: 64 * 1024 * 1024,
  /** What a worker's process may need beside the memory that sessions reserve: code, stacks, allocator, batches in flight. */
  addressSpaceHeadroomBytes: 4 * 1024 * 1024 * 1024,
} as const;
