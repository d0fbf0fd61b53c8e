import type { Prepared } from './prepared.ts';
import type { EvidenceRecord } from './record.ts';

/** Where a batch becomes durable: the log's folder, or a database that several servers share. */
export interface Store {
  /** Gives records their places and makes them durable, as one batch. Null: this one contradicts what is durable by now. */
  write(batch: readonly Prepared[]): Promise<readonly (EvidenceRecord | null)[]>;
  /** After a write that failed: leaves what nobody knows the state of. Does not fail. */
  abandon(): Promise<void>;
  /** Before the first write after that: makes ready, and says what the log lacks for it. */
  heal(): Promise<readonly Prepared[]>;
  /** Gives up what it kept for outcomes of sessions that ran; true if they may be tried at once. */
  giveRoom(): Promise<boolean>;
  close(): Promise<void>;
}
