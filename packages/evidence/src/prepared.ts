import { limits } from './limits.ts';
import type { RecordBody, SessionOutcome } from './record.ts';
import { piecesOf } from './segment.ts';

/** What is to be recorded, and its text as it will be written: it is made once. */
export interface Prepared {
  readonly body: RecordBody;
  readonly pieces: readonly string[];
  /** Of the pieces, about. */
  readonly bytes: number;
}

/** A record before it has a place. */
export function prepare(body: RecordBody): Prepared {
  const pieces = piecesOf(body);
  return { body, pieces, bytes: pieces.reduce((sum, piece) => sum + piece.length, 0) };
}

/** A session that ran has an outcome, if without the report that makes it too long. Nothing else is shortened. */
export function fitting(given: RecordBody): Prepared {
  const prepared = prepare(given);
  const { bytes } = prepared;
  if (bytes <= limits.recordBytesMax) return prepared;
  if (given.type !== 'session.outcome') throw new TypeError(`a record has at most ${limits.recordBytesMax} bytes`);
  return prepare({ ...given, engine: { omitted: `a report of ${bytes} bytes is longer than a record may be` } });
}

/** As many from the start as belong into one batch: at least one. */
export function takeBatch<T extends Pick<Prepared, 'bytes'>>(queue: T[]): T[] {
  let [count, bytes] = [0, 0];
  while (count < queue.length && count < limits.batchRecordsMax) {
    bytes += (queue[count] as T).bytes;
    if (count > 0 && bytes > limits.batchBytesMax) break;
    count += 1;
  }
  return queue.splice(0, count);
}

/** The outcome of a session whose own process did not write one. */
export function orphaned(session: string, intent: number, message: string): SessionOutcome {
  return {
    type: 'session.outcome',
    session,
    intent,
    status: 'orphaned',
    error: { code: 'orphaned', message, detail: null },
    rows: 0,
    bytes: 0,
    engine: null,
    steps: {},
  };
}
