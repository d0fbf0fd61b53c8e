/** What the process's exit status says. Part of the public surface: scripts depend on it. */
export const exitCodes = {
  /** Done. */
  ok: 0,
  /** Refused, or it ran and failed: what was asked for did not happen. */
  failed: 1,
  /** The command line itself is wrong. Nothing was sent. */
  usage: 2,
  /** The server cannot be reached, or says that it cannot serve now. Worth trying again. */
  unavailable: 3,
  /** The answer broke off halfway. What was written is not the whole result. */
  incomplete: 4,
  /** Interrupted from the keyboard; what ran was cancelled. */
  interrupted: 130,
  /** Told to stop by whoever runs it; what ran was cancelled. */
  terminated: 143,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** A failure that is told in words, without a stack. `message` is one sentence, lower case, no final stop. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: ExitCode;
  readonly hint: string | null;

  constructor(exitCode: ExitCode, message: string, hint: string | null = null, options: ErrorOptions = {}) {
    super(message, options);
    this.exitCode = exitCode;
    this.hint = hint;
  }
}

/** That a command ends before its time, with the exit status of the signal that told it to. */
export function interruption(signal: 'SIGINT' | 'SIGTERM'): CliError {
  return signal === 'SIGINT'
    ? new CliError(exitCodes.interrupted, 'interrupted')
    : new CliError(exitCodes.terminated, 'terminated');
}
