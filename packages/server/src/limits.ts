/** Every limit of this package. */
export const limits = {
  bodyBytesMax: 1024 * 1024,
  headerBytesMax: 16 * 1024,
  /** From the first byte of a request, or the opening of the connection, to the end of its headers. */
  headersMsMax: 10_000,
  /** The same, to the end of its body. */
  requestMsMax: 30_000,
  /** How often the two above are looked at. */
  requestCheckEveryMs: 2_000,
  handshakeMsMax: 10_000,
  connectionsMax: 4_096,
  /** A connection that carries no request for this long is closed. */
  idleConnectionMsMax: 72_000,
  /** A reader that takes nothing for this long has its session cancelled. */
  slowReaderMsMax: 60_000,
  /** From the order to stop until the sessions that still run are cancelled. */
  drainMsMax: 10_000,
  /** From then on until connections that do not take what there is are cut. */
  drainGraceMs: 1_000,
  /** A connection that sent no request takes the refusal within this, or is cut. */
  refusalMsMax: 1_000,
  sessionsListedMax: 200,
  jwtClockToleranceSeconds: 30,
  jwksMsMax: 5_000,
  /** An unknown key id makes the issuer be asked again, but not more often than this. */
  jwksCooldownMs: 30_000,
  keyFileBytesMax: 4 * 1024 * 1024,
  /** A change of the file of keys takes milliseconds. */
  keyFileLockMsMax: 5_000,
} as const;

export type Limits = { readonly [name in keyof typeof limits]: number };
