import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { type FileHandle, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Subject } from '@ambit/policy';
import { limits } from './limits.ts';
import { RequestRefused } from './problems.ts';

/** A key as the file keeps it: the secret's hash, never the secret. 256 random bits need no slow hash. */
export interface KeyRecord {
  readonly id: string;
  /** Lower-case hex SHA-256 of the secret. */
  readonly hash: string;
  readonly tenant: string;
  readonly principal: string;
  readonly kind: 'user' | 'service' | 'agent';
  readonly roles: readonly string[];
  readonly claims: Readonly<Record<string, string | number | boolean>>;
  readonly onBehalfOf: { readonly tenant: string; readonly principal: string } | null;
  readonly created: string;
  /** ISO 8601, or null: it does not expire. */
  readonly expires: string | null;
}

export type NewKey = Omit<KeyRecord, 'id' | 'hash' | 'created'>;

const TOKEN = /^ambit_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$/;

/** Makes a key. The token is told once and kept nowhere. */
export async function createKey(file: string, key: NewKey): Promise<{ readonly id: string; readonly token: string }> {
  const id = randomBytes(8).toString('hex');
  const secret = randomBytes(32).toString('base64url');
  const { tenant, principal, kind, roles, claims, onBehalfOf, expires } = key;
  const record: KeyRecord = {
    id,
    hash: hashOf(secret),
    tenant,
    principal,
    kind,
    roles: roles.toSorted(),
    claims,
    onBehalfOf,
    created: new Date().toISOString(),
    expires,
  };
  await change(file, (keys) => [...keys, record]);
  return { id, token: `ambit_${id}_${secret}` };
}

/** Keys of a file; none if there is no file. Throws when it holds something else. */
export async function listKeys(file: string): Promise<readonly KeyRecord[]> {
  try {
    const { size } = await stat(file);
    if (size > limits.keyFileBytesMax) throw new Error(`\`${file}\` is larger than a file of keys can be`);
    const { keys } = JSON.parse(await readFile(file, 'utf8')) as { readonly keys?: unknown };
    if (Array.isArray(keys) && keys.every(isKey)) return keys;
    throw new Error(`\`${file}\` is not a file of keys`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function isKey(value: unknown): value is KeyRecord {
  const key = value as Partial<Record<keyof KeyRecord, unknown>> | null;
  const texts = [key?.id, key?.hash, key?.tenant, key?.principal, key?.kind];
  const named = texts.every((text) => typeof text === 'string' && text !== '');
  const claims = typeof key?.claims === 'object' && key.claims !== null;
  const expires = key?.expires === null || typeof key?.expires === 'string';
  return named && Array.isArray(key?.roles) && claims && key?.onBehalfOf !== undefined && expires;
}

/** Removes a key. False: there was none. */
export async function revokeKey(file: string, id: string): Promise<boolean> {
  let found = false;
  await change(file, (keys) => {
    found = keys.some((key) => key.id === id);
    return found ? keys.filter((key) => key.id !== id) : null;
  });
  return found;
}

/**
 * Writes what a change makes of the keys; null leaves them. One change after the other, of whatever process: the new
 * file is made by one at a time, and takes the old one's place whole.
 */
async function change(file: string, to: (keys: readonly KeyRecord[]) => readonly KeyRecord[] | null): Promise<void> {
  const next = `${file}.new`;
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const handle = await openAlone(next);
  let moved = false;
  try {
    const keys = to(await listKeys(file));
    if (keys === null) return;
    await handle.writeFile(`${JSON.stringify({ keys }, null, 2)}\n`);
    await handle.sync();
    await rename(next, file);
    moved = true;
  } finally {
    await handle.close();
    // Once it has moved, one of this name is another's.
    if (!moved) await rm(next, { force: true });
  }
  const folder = await open(dirname(file));
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function openAlone(path: string): Promise<FileHandle> {
  for (;;) {
    try {
      return await open(path, 'wx', 0o600);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      // Nobody takes this long: whoever made it died. Its own age says so: others may have waited too, and made a new one.
      const made = await stat(path).catch(() => null);
      if (made !== null && Date.now() - made.mtimeMs > limits.keyFileLockMsMax) await rm(path, { force: true });
      else await sleep(10);
    }
  }
}

/** Looks keys up, and reads the file again when it has changed: a revoked key is out with the next request. */
export class KeyRing {
  readonly #file: string;
  #stamp = '';
  #keys = new Map<string, KeyRecord>();

  constructor(file: string) {
    this.#file = file;
  }

  /** The key's subject, or null for whatever reason. */
  async subject(token: string): Promise<Subject | null> {
    const [, id = '', secret = ''] = TOKEN.exec(token) ?? [];
    await this.#refresh().catch((cause: unknown) => {
      // Not `credential_invalid`: that would tell everybody that their keys are gone.
      const message = 'the file of keys cannot be read now, so nobody can tell whether a key is valid';
      throw new RequestRefused('identity_unavailable', message, 'the operator must look at it', { cause });
    });
    const key = this.#keys.get(id);
    // An unknown id costs the same comparison.
    const same = timingSafeEqual(Buffer.from(hashOf(secret), 'hex'), Buffer.from(key?.hash ?? hashOf(''), 'hex'));
    if (key === undefined || !same || secret === '') return null;
    // An end that cannot be read has come.
    if (key.expires !== null && !(Date.parse(key.expires) > Date.now())) return null;
    const { tenant, principal, kind, roles, claims, onBehalfOf } = key;
    return {
      tenant,
      principal,
      kind,
      roles,
      claims,
      channel: 'http',
      onBehalfOf,
      authentication: { method: 'api-key', reference: id },
    };
  }

  async #refresh(): Promise<void> {
    const stamp = await stat(this.#file, { bigint: true }).then(
      ({ mtimeNs, ino, size }) => `${mtimeNs}-${ino}-${size}`,
      () => 'none',
    );
    if (stamp === this.#stamp) return;
    const keys = await listKeys(this.#file);
    this.#keys = new Map(keys.map((key) => [key.id, key]));
    this.#stamp = stamp;
  }
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
