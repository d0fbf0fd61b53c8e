import type { EvidenceRecord } from './record.ts';

/** What the tree holds of a record: enough to find it and to tell it from any other, and nothing that could be personal. */
export function entryOf(record: EvidenceRecord, digest: string): string {
  const { seq, type } = record;
  // Canonical by hand: it is made for every record, and again for each that is verified.
  const session = 'session' in record ? `"session":${JSON.stringify(record.session)},` : '';
  return `{"digest":"sha256:${digest}","seq":${seq},${session}"type":${JSON.stringify(type)},"v":1}`;
}
