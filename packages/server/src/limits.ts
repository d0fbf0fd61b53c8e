/** Every limit of this package. */
export const limits = {
  bodyBytesMax: 1024 * 1024,
  headerBytesMax: 16 * 1024,
  requestTimeoutMs: 30_000,
  connectionsMax: 4_096,
  /** A reader that takes nothing for this long has its session cancelled. */
  slowReaderMs: 60_000,
  sessionsListedMax: 200,
  jwtClockToleranceSeconds: 30,
  keyFileBytesMax: 4 * 1024 * 1024,
} as const;
