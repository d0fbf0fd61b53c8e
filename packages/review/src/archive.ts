import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { type Boundary, fingerprint } from '@ambit/contract';
import type { Archive } from './chain.ts';
import { short } from './coverage.ts';
import { readEnvelope } from './envelope.ts';
import { limits } from './limits.ts';
import type { Refusal } from './refusal.ts';
import {
  REVIEW_TYPE,
  REVOCATION_TYPE,
  type ReviewStatement,
  type RevocationStatement,
  type Signed,
  signedStatement,
  type Statement,
} from './statement.ts';

// Reviews are files in git, beside the contract: one a signature, so that nobody's approval meets another's in a merge.

/** Folder of a product's reviews in an environment, beside its contract. */
export function reviewsFolder(contract: string, product: string, environment: string): string {
  return join(dirname(resolve(contract)), 'reviews', product, environment);
}

const BOUNDARIES = 'boundaries';

/** Reads what is kept of a product in an environment. A folder that is not there is empty. What cannot be read is told. */
export async function readArchive(folder: string): Promise<Archive> {
  const reviews: Signed<ReviewStatement>[] = [];
  const revocations: Signed<RevocationStatement>[] = [];
  const refusals: Refusal[] = [];
  for (const file of await filesOf(folder)) {
    const signed = await readSigned(file).catch(() => null);
    if (signed === null) refusals.push(unreadable(file, 'it is no review: it was changed, or is written otherwise'));
    else if (isReview(signed)) reviews.push(signed);
    else if (isRevocation(signed)) revocations.push(signed);
    else refusals.push(unreadable(file, 'it is signed, and not about a review'));
  }
  const boundaries = new Map<string, Boundary>();
  for (const file of await filesOf(join(folder, BOUNDARIES))) {
    const boundary = await readBoundary(file).catch(() => null);
    if (boundary === null) refusals.push(unreadable(file, 'it is not the boundary that its name says'));
    else boundaries.set(fingerprint(boundary), boundary);
  }
  return { reviews, revocations, boundaries, refusals };
}

/** What changes when files of a folder do: enough to tell whether to read it again. */
export async function archiveMark(folder: string): Promise<string> {
  const files = [...(await filesOf(folder)), ...(await filesOf(join(folder, BOUNDARIES)))];
  const marks = await Promise.all(
    files.map(async (file) => {
      const { ctimeNs, size, ino } = await stat(file, { bigint: true });
      return `${file} ${ctimeNs} ${size} ${ino}`;
    }),
  );
  return marks.join('\n');
}

/** The files of a folder that are JSON, by name. Fails where there are more than anybody reviewed. */
async function filesOf(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const files = names.filter((name) => name.endsWith('.json')).toSorted();
  if (files.length > limits.filesMax) throw new Error(`\`${folder}\` has more than ${limits.filesMax} files`);
  return files.map((name) => join(folder, name));
}

async function readSigned(file: string): Promise<Signed<Statement> | null> {
  if (!(await isReadable(file, limits.reviewBytesMax))) return null;
  const envelope = readEnvelope(await readFile(file, 'utf8'));
  return envelope === null ? null : signedStatement(file, envelope);
}

/** Whether it is a file of so many bytes at most. Whoever reads a pipe waits for whoever writes it. */
export async function isReadable(path: string, bytesMax: number): Promise<boolean> {
  const found = await stat(path);
  return found.isFile() && found.size <= bytesMax;
}

function isReview(signed: Signed<Statement>): signed is Signed<ReviewStatement> {
  return signed.statement.predicateType === REVIEW_TYPE;
}

function isRevocation(signed: Signed<Statement>): signed is Signed<RevocationStatement> {
  return signed.statement.predicateType === REVOCATION_TYPE;
}

async function readBoundary(file: string): Promise<Boundary | null> {
  if (!(await isReadable(file, limits.boundaryBytesMax))) return null;
  const boundary = JSON.parse(await readFile(file, 'utf8')) as Boundary;
  return basename(file) === boundaryName(fingerprint(boundary)) && hasOwner(boundary) ? boundary : null;
}

/** The parts of a boundary that reviews are judged by are there: its hash says nothing of its form. */
function hasOwner({ product, environment }: Boundary): boolean {
  const { owner } = product;
  const signers = [...owner.reviewers, ...(owner.agents ?? [])];
  const texts = (all: readonly unknown[]): boolean => Array.isArray(all) && all.every((one) => typeof one === 'string');
  const people = [owner.approvals?.widens, owner.approvals?.narrows, owner.approvals?.changes];
  return (
    texts([product.name, product.version, environment]) &&
    signers.every(({ name, keys, emails }) => typeof name === 'string' && texts(keys) && texts(emails)) &&
    people.every((count) => count === undefined || Number.isSafeInteger(count))
  );
}

function boundaryName(of: string): string {
  return `${of.replace(/^sha256:/, '')}.json`;
}

function unreadable(file: string, message: string): Refusal {
  const hint = 'put it back as git has it, or approve again';
  return { code: 'unreadable', file, who: null, message, hint };
}

/** Keeps a boundary beside its reviews, as lines that git shows well. */
export async function keepBoundary(folder: string, boundary: Boundary): Promise<string> {
  const file = join(folder, BOUNDARIES, boundaryName(fingerprint(boundary)));
  await writeWhole(file, `${JSON.stringify(boundary, null, 2)}\n`);
  return file;
}

/** Keeps a review. One that the same person gave to the same change before is replaced: git has it. */
export async function keepReview(folder: string, { predicate }: ReviewStatement, text: string): Promise<string> {
  const file = join(folder, `${short(predicate.from)}-${short(predicate.to)}-${predicate.who.name}.json`);
  await writeWhole(file, text);
  return file;
}

/** Keeps a revocation. */
export async function keepRevocation(
  folder: string,
  { predicate }: RevocationStatement,
  text: string,
): Promise<string> {
  const file = join(folder, `revoked-${short(predicate.review)}-${predicate.who.name}.json`);
  await writeWhole(file, text);
  return file;
}

/** Writes a file that is there whole or not at all. */
async function writeWhole(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const part = `${file}.part`;
  await writeFile(part, text);
  await rename(part, file);
}
