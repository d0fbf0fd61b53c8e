import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { canonical, sha256 } from '../src/canonical.ts';
import { type EvidenceLog, openLog } from '../src/log.ts';
import type { EvidenceRecord, Json, RequestRefused, SessionIntent, SessionOutcome } from '../src/record.ts';

/** A folder of the real disk, gone after the test. */
export async function freshFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ambit-evidence-'));
  onTestFinished(async () => {
    await rm(folder, { recursive: true, force: true });
    await rm(`${folder}.key`, { force: true });
  });
  return folder;
}

export function intent(session: string, over: Partial<SessionIntent> = {}): SessionIntent {
  const sql = 'SELECT 1';
  return {
    type: 'session.intent',
    session,
    request: `request-${session}`,
    product: 'flights',
    version: '1.2.0',
    environment: 'test',
    fingerprint: 'sha256:boundary',
    grant: 'sha256:grant',
    subject: { tenant: 'north', principal: 'ada' },
    purpose: 'operations',
    scope: 'request',
    statement: { kind: 'sql', name: null, sql, digest: sha256(sql), parameters: {} },
    format: 'json',
    limits: {},
    credentials: [],
    traceparent: null,
    ...over,
  };
}

export function outcome(session: string, seq: number, over: Partial<SessionOutcome> = {}): SessionOutcome {
  return {
    type: 'session.outcome',
    session,
    intent: seq,
    status: 'completed',
    error: null,
    rows: 3,
    bytes: 120,
    engine: null,
    steps: { run: 42 },
    ...over,
  };
}

export function refusal(request: string): RequestRefused {
  const code = 'purpose_required';
  const subject = { tenant: 'north', principal: 'ada' };
  const nothing = { product: null, fingerprint: null, purpose: null, decisions: [] };
  return { type: 'request.refused', request, subject, code, message: 'a purpose is required', ...nothing };
}

/** One whole session. */
export async function runSession(log: EvidenceLog, session: string): Promise<void> {
  const { seq } = await log.append(intent(session));
  await log.append(outcome(session, seq));
}

/** Opens a log of the real disk that the test need not close. */
export async function open(folder: string): Promise<EvidenceLog> {
  const log = await openLog({ folder, ambit: '0.1.0' });
  onTestFinished(() => log.close());
  return log;
}

export interface Line {
  readonly record: EvidenceRecord;
  readonly offset: number;
  readonly length: number;
}

/** Lines of a segment, read as the documentation describes them and without the package's own reader. */
export function linesOf(bytes: Buffer): {
  readonly header: { readonly [key: string]: Json };
  readonly lines: readonly Line[];
} {
  const texts = bytes.toString('utf8').split('\n');
  let offset = Buffer.byteLength(texts[0] as string) + 1;
  const lines: Line[] = [];
  for (const text of texts.slice(1, -1)) {
    const length = Buffer.byteLength(text);
    lines.push({ record: JSON.parse(text.slice(65)) as EvidenceRecord, offset, length });
    offset += length + 1;
  }
  return { header: JSON.parse(texts[0] as string) as { [key: string]: Json }, lines };
}

export async function readLines(path: string): Promise<ReturnType<typeof linesOf>> {
  return linesOf(await readFile(path));
}

/** A line whose digest fits whatever it holds: what somebody with write access would put there. */
export function forge(value: Json): string {
  const json = canonical(value);
  return `${sha256(json)} ${json}\n`;
}

/** Every record of a folder, in order. */
export async function readRecords(folder: string): Promise<readonly EvidenceRecord[]> {
  const segments = (await readdir(folder)).filter((name) => name.endsWith('.segment')).sort();
  const read = await Promise.all(segments.map((name) => readLines(join(folder, name))));
  return read.flatMap(({ lines }) => lines.map(({ record }) => record));
}
