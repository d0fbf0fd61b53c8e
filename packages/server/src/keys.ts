import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { mkdir, open, readFile, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Subject } from '@ambit/policy';

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
  await alone(async () => writeKeys(file, [...(await listKeys(file)), record]));
  return { id, token: `ambit_${id}_${secret}` };
}

/** Keys of a file; none if there is no file. */
export async function listKeys(file: string): Promise<readonly KeyRecord[]> {
  try {
    return (JSON.parse(await readFile(file, 'utf8')) as { keys: KeyRecord[] }).keys;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Removes a key. False: there was none. */
export async function revokeKey(file: string, id: string): Promise<boolean> {
  return alone(async () => {
    const keys = await listKeys(file);
    const rest = keys.filter((key) => key.id !== id);
    if (rest.length === keys.length) return false;
    await writeKeys(file, rest);
    return true;
  });
}

let last: Promise<unknown> = Promise.resolve();

/** One change after the other: each reads what the one before wrote. */
function alone<T>(change: () => Promise<T>): Promise<T> {
  const next = last.then(change, change);
  last = next.catch(() => undefined);
  return next;
}

async function writeKeys(file: string, keys: readonly KeyRecord[]): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const handle = await open(`${file}.new`, 'w', 0o600);
  try {
    await handle.writeFile(`${JSON.stringify({ keys }, null, 2)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${file}.new`, file);
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
    await this.#refresh();
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
