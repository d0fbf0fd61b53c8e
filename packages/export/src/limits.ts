/** Every limit of this package. */
export const limits = {
  /** A receiver that has not answered by then has failed. */
  answerMsMax: 10_000,
  /** Read of an answer; more is not waited for. */
  answerBytesMax: 64 * 1024,
  /** Between two attempts: doubles from the first to the second, less a random part. */
  backoffMsMin: 250,
  backoffMsMax: 60_000,
  /** From the order to stop until what is not delivered is left: OpenLineage to the next start, telemetry for good. */
  closeMsMax: 3_000,
  headerFileBytesMax: 64 * 1024,

  /** Records that are read, mapped and delivered before the next are read. */
  lineageRecordsMax: 16,
  /** The cursor is made durable no more often: its sync is on the disk of the log. */
  cursorEveryMs: 1_000,
  /** Intents that are kept until their outcome comes by; others are looked up in the log. */
  intentsKeptMax: 1_024,
  boundariesKeptMax: 64,

  /** Waiting for the receiver, over all sessions; more are dropped and counted. */
  spansWaitingMax: 16_384,
  logsWaitingMax: 4_096,
  /** Sent at once. */
  telemetryBatchMax: 1_024,
  telemetryEveryMs: 1_000,
  /** After that a batch is dropped and counted. */
  telemetryAttemptsMax: 6,
  /** Spans of one session's operators. */
  operatorSpansMax: 256,
  metricsEveryMs: 15_000,
  /** Open sessions that telemetry follows. */
  sessionsFollowedMax: 10_000,
  metricsConnectionsMax: 16,
  metricsRequestMsMax: 5_000,
} as const;
