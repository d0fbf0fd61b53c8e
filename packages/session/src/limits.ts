/** Every limit of this package. Both are shorter than those after which the engine kills a worker that does not answer. */
export const limits = {
  /** From a cancel until a consumer who takes nothing is cut off: its session's outcome waits behind what it does not take. */
  cancelGraceMs: 300,
  /** The same from a session's deadline. */
  deadlineGraceMs: 500,
} as const;
