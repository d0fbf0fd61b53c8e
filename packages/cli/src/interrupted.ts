import { interruption } from './failure.ts';
import type { Terminal } from './terminal.ts';

/**
 * Work that is told when the process is to stop, so that it leaves nothing behind. Throws what the process then ends with, whatever
 * the work made of it.
 */
export async function untilInterrupted<T>(terminal: Terminal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stopped = new AbortController();
  const release = terminal.onInterrupt((signal) => stopped.abort(interruption(signal)));
  try {
    const done = await work(stopped.signal);
    stopped.signal.throwIfAborted();
    return done;
  } catch (error) {
    stopped.signal.throwIfAborted();
    throw error;
  } finally {
    release();
  }
}
