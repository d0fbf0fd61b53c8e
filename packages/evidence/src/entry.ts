import { canonical } from './canonical.ts';
import type { EvidenceRecord } from './record.ts';

/** What the tree holds of a record: enough to find it and to tell it from any other, and nothing that could be personal. */
export function entryOf(record: EvidenceRecord, digest: string): string {
  const { seq, type } = record;
  const session = 'session' in record ? { session: record.session } : {};
  return canonical({ v: 1, seq, type, digest: `sha256:${digest}`, ...session });
}
