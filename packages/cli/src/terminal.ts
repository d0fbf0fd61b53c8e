import { createInterface } from 'node:readline/promises';
import type { Writable } from 'node:stream';

import { printable } from './display.ts';

/** What a command can see of the process that runs it. Tests give their own. */
export interface Terminal {
  /** Data, and nothing but data. */
  readonly out: Writable;
  /** Talk: progress, counts, errors. */
  readonly err: Writable;
  readonly errIsTerminal: boolean;
  readonly outIsTerminal: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Asks whoever sits at the terminal, and gives their line; null where nobody does. */
  readonly question?: (text: string) => Promise<string | null>;
  /** Called when the process is told to stop, once by each signal. Returns what takes the handler away. */
  readonly onInterrupt: (handler: (signal: Interrupt) => void) => () => void;
  /** Called whenever somebody asks to read files anew, by SIGHUP. Returns what takes the handler away. */
  readonly onHangup: (handler: () => void) => () => void;
}

/** What tells a process to stop: somebody at the keyboard, or whoever runs it. */
export type Interrupt = 'SIGINT' | 'SIGTERM';

/** The terminal of this process. */
export function processTerminal(): Terminal {
  return {
    out: process.stdout,
    err: process.stderr,
    errIsTerminal: process.stderr.isTTY,
    outIsTerminal: process.stdout.isTTY,
    env: process.env,
    cwd: process.cwd(),
    question: askLine,
    onInterrupt(handler) {
      process.once('SIGINT', handler);
      process.once('SIGTERM', handler);
      return () => {
        process.off('SIGINT', handler);
        process.off('SIGTERM', handler);
      };
    },
    onHangup(handler) {
      // There it says that the terminal is gone, and who watches from there goes with it.
      if (process.stderr.isTTY) return () => {};
      process.on('SIGHUP', handler);
      return () => process.off('SIGHUP', handler);
    },
  };
}

async function askLine(text: string): Promise<string | null> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return null;
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await lines.question(text);
  } finally {
    lines.close();
  }
}

/** Writes data and waits until the reader takes more. */
export function writeOut(terminal: Terminal, text: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    terminal.out.write(text, (error) => (error ? reject(error) : resolve()));
  });
}

/** Says a line. What others wrote into it cannot control the terminal. */
export function say(terminal: Terminal, text: string): void {
  terminal.err.write(`${printable(text, 'keep')}\n`);
}

/** Whether a failed write means that the reader has gone, as `head` does when it has seen enough. */
export function isReaderGone(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === 'EPIPE' || code === 'ERR_STREAM_DESTROYED' || code === 'ERR_STREAM_PREMATURE_CLOSE';
}
