import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { keyId, type Signer } from '@ambit/contract';
import { isReadable } from './archive.ts';
import type { Named } from './difference.ts';
import { readEnvelope, signerOf } from './envelope.ts';
import { limits } from './limits.ts';
import { refusal, type Refusal } from './refusal.ts';
import { BREAK_GLASS_NAMESPACE } from './sshsig.ts';
import {
  BREAK_GLASS_TYPE,
  type BreakGlassStatement,
  type Signed,
  signedStatement,
  subjectDigest,
} from './statement.ts';

// Break-glass: an operator opens one boundary, that no owner approved, for a bounded time. Never by default.

/** Who may, and for how long: the environment says so. */
export interface BreakGlass {
  readonly operators: readonly Signer[];
  readonly maxHours: number;
  /** Folder of the server's state that openings lie in. */
  readonly folder: string;
}

/** A boundary that is open without a review. */
export interface Opening {
  readonly digest: string;
  readonly who: string;
  /** Name of the operator's key. */
  readonly key: string;
  readonly reason: string;
  readonly signedAt: string;
  readonly until: string;
}

/** The openings of a folder, signed by whomever. */
export async function readOpenings(folder: string): Promise<readonly Signed<BreakGlassStatement>[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const read = names
    .filter((name) => name.endsWith('.json'))
    .slice(0, limits.filesMax)
    .map(async (name) => {
      const file = join(folder, name);
      if (!(await isReadable(file, limits.reviewBytesMax))) return null;
      const envelope = readEnvelope(await readFile(file, 'utf8'));
      const signed = envelope === null ? null : signedStatement(file, envelope);
      return signed?.statement.predicateType === BREAK_GLASS_TYPE ? (signed as Signed<BreakGlassStatement>) : null;
    });
  // One that is being written, or was taken away, is none.
  const found = await Promise.all(read.map((one) => one.catch(() => null)));
  return found.filter((one) => one !== null);
}

/** Keeps an opening; one of the same version of a product in the same environment is replaced. */
export async function keepOpening(
  folder: string,
  { predicate: { product, version, environment } }: BreakGlassStatement,
  text: string,
): Promise<string> {
  const file = join(folder, `${product}-${version}-${environment}.json`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(file, text, { mode: 0o600 });
  return file;
}

/** Takes the openings of a product away before their time, of every version. False: there is none. */
export async function removeOpenings(folder: string, product: string, environment: string): Promise<boolean> {
  const found = (await readOpenings(folder)).filter(
    ({ statement: { predicate } }) => predicate.product === product && predicate.environment === environment,
  );
  await Promise.all(found.map(({ file }) => rm(file, { force: true })));
  return found.length > 0;
}

/** Whether an opening opens this boundary now. */
export function openingOf(
  { boundary, fingerprint }: Named,
  signed: Signed<BreakGlassStatement>,
  { operators, maxHours }: Pick<BreakGlass, 'operators' | 'maxHours'>,
  now: number,
): Opening | Refusal {
  const { predicate } = signed.statement;
  const open = 'open it again: `ambit break-glass open`';
  const no = (code: Refusal['code'], message: string): Refusal => refusal(signed, code, message, open);
  if (predicate.product !== boundary.product.name) return no('other_product', `it opens \`${predicate.product}\``);
  if (predicate.environment !== boundary.environment) {
    return no('other_environment', `it opens environment \`${predicate.environment}\``);
  }
  if (subjectDigest(signed.statement) !== fingerprint) return no('other_pair', 'it opens another boundary');
  const found = operators.flatMap(({ name, keys }) => {
    const key = signerOf(signed.envelope, keys, BREAK_GLASS_NAMESPACE);
    return key === null ? [] : [{ name, key: keyId(key) }];
  })[0];
  if (found === undefined) return no('key_not_listed', "no operator of the environment's `breakGlass` signed it");
  if (found.name !== predicate.who.name || found.key !== predicate.who.key) {
    return no('signer_other', 'it names another operator than the one whose key signed');
  }
  const [from, until] = [Date.parse(predicate.signedAt), Date.parse(predicate.until)];
  if (from > now + limits.clockAheadMs) return no('signed_ahead', 'it was signed at a time that is yet to come');
  if (until - from > maxHours * 3_600_000) return no('expired', `it is for longer than ${maxHours} hours`);
  if (until <= now) return no('expired', `it ended at ${predicate.until}`);
  const { reason, signedAt } = predicate;
  return { digest: signed.digest, who: found.name, key: found.key, reason, signedAt, until: predicate.until };
}
