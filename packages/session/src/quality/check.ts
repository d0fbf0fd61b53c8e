import { randomBytes } from 'node:crypto';
import type { SourceAccess } from '@ambit/engine';
import type { Json, Promised, QualityChecked, QualityResult } from '@ambit/evidence';
import { approvalOf } from '../approval.ts';
import { limits } from '../limits.ts';
import type { Product } from '../load.ts';
import { ask, type Asking, OF_THE_MOMENT, type Told } from './ask.ts';
import { type Commitment, promisesOf } from './measure.ts';

/** What a check found. */
export interface Checked {
  readonly product: Product;
  readonly results: readonly QualityResult[];
  /** Whether that could be recorded too; else why not. */
  readonly unrecorded: string | null;
}

/** What is known of a table's rules that close it: `unknown` where nobody could look. */
export type Keeping = 'kept' | 'broken' | 'unknown';

/** Whether the data of a product can be held against anything. */
export function hasPromises({ boundary }: Pick<Product, 'boundary'>): boolean {
  return promisesOf(boundary).length > 0;
}

/** Tables that are closed while their rules do not pass. */
export function closingTables({ boundary }: Pick<Product, 'boundary'>): readonly string[] {
  const closing = promisesOf(boundary).filter(({ closes }) => closes);
  return [...new Set(closing.map(({ table }) => table))];
}

/**
 * Holds the data of a product against its rules and service levels, one after the other. That it will is durable before the
 * engine reads anything. Throws `EvidenceUnavailable`: then nothing was read.
 */
export async function checkQuality(
  asking: Asking,
  product: Product,
  closedAfter: (results: readonly QualityResult[]) => readonly string[],
  signal: AbortSignal,
): Promise<Checked> {
  const { evidence } = asking;
  const { boundary, fingerprint } = product;
  const all = promisesOf(boundary);
  const { name, version } = boundary.product;
  const check = `chk_${randomBytes(16).toString('hex')}`;
  const clockMicros = Date.now() * 1_000;
  const about = { check, product: name, version, environment: boundary.environment, fingerprint };
  const approval = approvalOf(product, Date.now());
  const { environment } = boundary;
  await evidence.ensureBoundary({
    product: name,
    version,
    environment,
    fingerprint,
    boundary: boundary as unknown as Json,
  });
  if (approval !== null) await evidence.ensureReview(approval);
  const started = await evidence.append({
    type: 'quality.started',
    ...about,
    ...(approval === null ? {} : { review: approval.digest }),
    clockMicros,
    promises: all.map(promisedOf),
  });
  const results: QualityResult[] = [];
  const accesses: SourceAccess[] = [];
  for (const [at, one] of all.entries()) {
    const { question } = one;
    const from = performance.now();
    const told = await ask(asking, product, { question, id: `${check}_${at}`, clockMicros }, signal);
    results.push(resultOf(one, told, Math.round((performance.now() - from) * 1_000)));
    accesses.push(...told.accesses);
  }
  const objects = merged(accesses);
  const record: QualityChecked = {
    type: 'quality.checked',
    ...about,
    started: started.seq,
    results,
    closed: closedAfter(results).toSorted(),
    accesses: objects.slice(0, limits.qualityObjectsMax),
    objects: objects.length,
  };
  const unrecorded = await evidence.append(record).then(
    () => null,
    (error: Error) => error.message,
  );
  return { product, results, unrecorded };
}

function promisedOf({ kind, table, column, name }: Commitment): Promised {
  return { kind, table, column, name };
}

function resultOf(one: Commitment, { value, code }: Told, micros: number): QualityResult {
  const { severity, promise, keeps } = one;
  const status = value === null ? 'error' : keeps(value) ? 'passed' : 'failed';
  // Of a column without a value there is no age: it is not fresh.
  const stale = one.kind === 'service-level' && code === 'no_number';
  return {
    ...promisedOf(one),
    status: stale ? 'failed' : status,
    severity,
    promise,
    value: value === null ? null : String(value),
    code,
    micros,
  };
}

/** What results say of the rules that close a table. */
export function keepingOf(product: Product, table: string, results: readonly QualityResult[]): Keeping {
  const closing = promisesOf(product.boundary).filter((one) => one.closes && one.table === table);
  const found = results.filter((one) => closing.some((each) => each.kind === one.kind && same(each, one)));
  if (found.length === closing.length && found.every(({ status }) => status === 'passed')) return 'kept';
  const told = found.some(({ status, code }) => status !== 'passed' && !OF_THE_MOMENT.includes(code ?? ''));
  return told ? 'broken' : 'unknown';
}

/** Tables that are closed by results, where nothing was known before. */
export function wouldClose(product: Product, results: readonly QualityResult[]): readonly string[] {
  return closingTables(product).filter((table) => keepingOf(product, table, results) !== 'kept');
}

function same(one: Promised, other: Promised): boolean {
  return one.table === other.table && one.name === other.name;
}

/** What was read of each object, by name. Of byte ranges only the sum: each question has its own. */
function merged(accesses: readonly SourceAccess[]): readonly Omit<SourceAccess, 'ranges'>[] {
  const found = new Map<string, Omit<SourceAccess, 'ranges'>>();
  for (const { ranges: _, ...access } of accesses) {
    const key = JSON.stringify([access.store, access.object, access.version]);
    const known = found.get(key);
    const sum = (of: 'requests' | 'bytes' | 'failures'): number => access[of] + (known?.[of] ?? 0);
    found.set(key, { ...access, requests: sum('requests'), bytes: sum('bytes'), failures: sum('failures') });
  }
  return [...found.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, access]) => access);
}

/** A result as a sentence, for who owns the data. */
export function qualityText({ kind, table, name, status, promise, value, code }: QualityResult): string {
  const what = kind === 'rule' ? `rule ${name} of ${table}` : `service level ${name}`;
  const age = kind === 'service-level' && value !== null ? `${Math.round(Number(value))} s old` : value;
  const found =
    code === 'no_number' ? 'there is no value' : code !== null ? `it could not be told (${code})` : `found ${age}`;
  return `${what} ${status === 'passed' ? 'passes' : status === 'failed' ? 'fails' : 'has no result'}: ${promise}, ${found}`;
}
