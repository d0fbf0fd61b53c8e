/** Every limit of this package, unit last. */
export const limits = {
  /** A review, with its signature. */
  reviewBytesMax: 64 * 1024,
  /** A boundary that is kept beside its reviews. */
  boundaryBytesMax: 8 * 1024 * 1024,
  /** Files that are read of one product in one environment. */
  filesMax: 10_000,
  /** How far the clock of whoever signed may be before ours. */
  clockAheadMs: 5 * 60_000,
  /** A boundary is opened without a review for so long, unless the environment says otherwise. */
  breakGlassHours: 4,
} as const;
