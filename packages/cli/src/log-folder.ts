import { readdir } from 'node:fs/promises';
import type { EvidenceRecord, Json, RecordEnvelope, SessionIntent, SessionOutcome } from '@ambit/evidence';

import { CliError, exitCodes } from './failure.ts';
import type { SessionEvidence } from './page/evidence.ts';

/** Every record of a log's folder, or of a copy of one, in order. Reads only. */
export async function* recordsOf(folder: string): AsyncGenerator<EvidenceRecord, void, undefined> {
  const { readableSegments, readRecords } = await import('@ambit/evidence');
  await readdir(folder).catch((cause: unknown) => {
    throw new CliError(exitCodes.usage, `cannot read the log \`${folder}\``, (cause as Error).message, { cause });
  });
  const segments = await readableSegments(folder);
  if (segments.length === 0)
    throw new CliError(
      exitCodes.usage,
      `there is no evidence log in \`${folder}\``,
      'a log has files NNNNNNNN.segment',
    );
  for (const segment of segments) {
    try {
      for await (const { record } of readRecords(folder, segment, segment.start, Number.MAX_SAFE_INTEGER)) yield record;
    } catch (cause) {
      const hint = `\`ambit verify ${folder}\` tells more`;
      throw new CliError(exitCodes.failed, `the log is damaged: ${(cause as Error).message}`, hint, { cause });
    }
  }
}

/**
 * A session as its log tells it, whole: whoever has the log may read it. What was sealed, whoever has the keys too: they are in
 * `seals`.
 */
export async function sessionInLog(folder: string, session: string, seals: string): Promise<SessionEvidence> {
  const documents = new Map<string, Json>();
  let intent: (RecordEnvelope & SessionIntent) | null = null;
  let outcome: (RecordEnvelope & SessionOutcome) | null = null;
  for await (const record of recordsOf(folder)) {
    keepDocument(documents, record);
    if (record.type === 'session.intent' && record.session === session) intent = record;
    if (record.type === 'session.outcome' && record.session === session) outcome = record;
    if (outcome !== null) break;
  }
  if (intent === null)
    throw new CliError(
      exitCodes.failed,
      `there is no session \`${session}\` in the log`,
      'is it another log, or was it pruned',
    );
  const grant = documents.get(intent.grant);
  const boundary = documents.get(intent.fingerprint);
  if (grant === undefined || boundary === undefined)
    throw new CliError(
      exitCodes.failed,
      'the log does not hold the grant or the boundary of the session',
      'they were pruned',
    );
  const { folderSealKeys } = await import('@ambit/evidence');
  const { reveal } = await import('@ambit/session');
  const { evidence, seal } = await reveal(
    { intent, outcome, grant: null, boundary: null, review: null },
    { seals: folderSealKeys(seals) },
  );
  const review = documents.get(intent.review ?? '') ?? null;
  const opened = { session, intent: evidence.intent, outcome: evidence.outcome, grant, boundary, review, whole: true };
  return { ...opened, ...(seal === null ? {} : { seal }) } as unknown as SessionEvidence;
}

/** Keeps boundaries, grants and reviews by fingerprint and digest. */
export function keepDocument(documents: Map<string, Json>, record: EvidenceRecord): void {
  if (record.type === 'boundary.loaded') documents.set(record.fingerprint, record.boundary);
  if (record.type === 'grant.issued') documents.set(record.digest, record.grant);
  if (record.type === 'review.applied') documents.set(record.digest, record as unknown as Json);
}
