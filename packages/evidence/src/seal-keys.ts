import { randomBytes } from 'node:crypto';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { EvidenceUnavailable } from './errors.ts';
import { disk } from './files.ts';
import type { SealKey } from './seal.ts';

/** For how long one key seals: a part of the calendar, in UTC. */
export type SealPeriod = 'day' | 'month' | 'year';

/** What is known of a key. */
export interface SealKeyState {
  readonly id: string;
  /** As `2026-11`. */
  readonly period: string;
  /** Null: it is there. */
  readonly destroyed: DestroyedKey | null;
}

/** A key that is gone. */
export interface DestroyedKey {
  readonly id: string;
  readonly period: string;
  /** UTC, ISO 8601. */
  readonly at: string;
  /** Whether the log says so. */
  readonly recorded: boolean;
}

/** Keys that seal what records hold, kept apart from the log. Several servers of one log share them. */
export interface SealKeys {
  /** The key of now: durable when this resolves, and made if the period has none that is left. Rejects with `EvidenceUnavailable`. */
  current(): Promise<SealKey>;
  /** A key by its id; that it was destroyed; or null: nobody here knows of it. */
  find(id: string): Promise<SealKey | DestroyedKey | null>;
  /** All of them, the oldest first. */
  list(): Promise<readonly SealKeyState[]>;
  /** Deletes the keys of a period, or one by its id, for good. Returns those that were there. */
  destroy(periodOrId: string): Promise<readonly DestroyedKey[]>;
  /** Notes that the log says that a key was destroyed. */
  recorded(id: string): Promise<void>;
}

const LENGTHS = { day: 10, month: 7, year: 4 } as const;
const ID = /^([0-9]{4}(?:-[0-9]{2}){0,2})-[0-9a-f]{8}$/;
/** A key; that it was destroyed, which the log does not say yet; and that it does. */
const [KEY, DESTROYED, RECORDED] = ['.key', '.destroyed', '.recorded'] as const;

/**
 * Keys in a folder, a file each. What says that a key was destroyed stays: whoever puts the file of one back, from a copy, does
 * not bring it back to use.
 */
export function folderSealKeys(folder: string, period: SealPeriod = 'month'): SealKeys {
  return new FolderSealKeys(folder, period);
}

class FolderSealKeys implements SealKeys {
  readonly #folder: string;
  readonly #length: number;
  #current: SealKey | null = null;
  #making: Promise<SealKey> | null = null;

  constructor(folder: string, period: SealPeriod) {
    this.#folder = folder;
    this.#length = LENGTHS[period];
  }

  async current(): Promise<SealKey> {
    try {
      const known = this.#current;
      // It may have been destroyed by another process a moment ago.
      if (known !== null && periodOf(known.id) === this.#now() && (await this.#isThere(known.id))) return known;
      this.#current = null;
      this.#making ??= this.#findOrMake().finally(() => {
        this.#making = null;
      });
      const made = await this.#making;
      this.#current = made;
      return made;
    } catch (error) {
      // The folder's path, never a key.
      const { code, message } = error as NodeJS.ErrnoException;
      throw new EvidenceUnavailable(`the keys that seal literals cannot be used: ${code ?? message}`);
    }
  }

  async find(id: string): Promise<SealKey | DestroyedKey | null> {
    const names = await this.#names();
    // It comes from a record: no other is the name of a file here.
    if (!names.some((name) => idOf(name) === id)) return null;
    return (await this.#destroyed(id, names)) ?? (await this.#read(id));
  }

  async list(): Promise<readonly SealKeyState[]> {
    const names = await this.#names();
    const ids = new Set(names.flatMap((name) => idOf(name) ?? []));
    // Nor is it kept in memory until somebody asks for it.
    if (this.#current !== null && isDestroyed(this.#current.id, names)) this.#current = null;
    return Promise.all(
      [...ids]
        .toSorted()
        .map(async (id) => ({ id, period: periodOf(id), destroyed: await this.#destroyed(id, names) })),
    );
  }

  async destroy(periodOrId: string): Promise<readonly DestroyedKey[]> {
    const meant = ({ id, period }: SealKeyState): boolean =>
      [id, period].includes(periodOrId) || period.startsWith(`${periodOrId}-`);
    const gone: DestroyedKey[] = [];
    for (const state of (await this.list()).filter(meant)) {
      const { id, period, destroyed } = state;
      const at = new Date().toISOString();
      // Said before it is done: a key that is half gone is gone.
      if (destroyed === null) await disk.replace(this.#path(id, DESTROYED), Buffer.from(`${JSON.stringify({ at })}\n`));
      await this.#remove(id);
      if (destroyed === null) gone.push({ id, period, at, recorded: false });
    }
    this.#current = null;
    return gone;
  }

  async recorded(id: string): Promise<void> {
    // What was said before a process was killed may still have to be done.
    await this.#remove(id);
    await rename(this.#path(id, DESTROYED), this.#path(id, RECORDED)).catch((error: NodeJS.ErrnoException) => {
      // Another server of the log was first.
      if (error.code !== 'ENOENT') throw error;
    });
  }

  #now(): string {
    return new Date().toISOString().slice(0, this.#length);
  }

  #path(id: string, kind: string): string {
    return join(this.#folder, `${id}${kind}`);
  }

  async #names(): Promise<readonly string[]> {
    return disk.list(this.#folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
  }

  async #isThere(id: string): Promise<boolean> {
    const names = await this.#names();
    return names.includes(`${id}${KEY}`) && !isDestroyed(id, names);
  }

  async #findOrMake(): Promise<SealKey> {
    const names = await this.#names();
    const period = this.#now();
    const left = names.flatMap((name) => (name.endsWith(KEY) ? (idOf(name) ?? []) : []));
    const id = left.toSorted().find((one) => periodOf(one) === period && !isDestroyed(one, names));
    return id === undefined ? this.#make(period) : this.#read(id);
  }

  async #make(period: string): Promise<SealKey> {
    await disk.ensureFolder(this.#folder);
    const id = `${period}-${randomBytes(4).toString('hex')}`;
    const secret = randomBytes(32);
    await disk.replace(this.#path(id, KEY), Buffer.from(`${FORMAT} ${secret.toString('base64')}\n`));
    // The folder itself may be new.
    await disk.settle([this.#folder]);
    return { id, secret };
  }

  async #read(id: string): Promise<SealKey> {
    const [, encoded] = KEY_FILE.exec((await disk.read(this.#path(id, KEY))).toString('latin1')) ?? [];
    if (encoded === undefined) throw new Error(`\`${id}${KEY}\` holds no key`);
    return { id, secret: Buffer.from(encoded, 'base64') };
  }

  async #destroyed(id: string, names: readonly string[]): Promise<DestroyedKey | null> {
    if (!isDestroyed(id, names)) return null;
    const recorded = names.includes(`${id}${RECORDED}`);
    const said = JSON.parse((await disk.read(this.#path(id, recorded ? RECORDED : DESTROYED))).toString('utf8')) as {
      readonly at: string;
    };
    return { id, period: periodOf(id), at: said.at, recorded };
  }

  async #remove(id: string): Promise<void> {
    await disk.remove(this.#path(id, KEY));
    await disk.settle([this.#folder]);
  }
}

const FORMAT = 'ambit/seal/v1';
const KEY_FILE = /^ambit\/seal\/v1 ([A-Za-z0-9+/]{43}=)\n$/;

function isDestroyed(id: string, names: readonly string[]): boolean {
  return names.includes(`${id}${DESTROYED}`) || names.includes(`${id}${RECORDED}`);
}

function idOf(name: string): string | null {
  const kind = [KEY, DESTROYED, RECORDED].find((one) => name.endsWith(one));
  const id = kind === undefined ? '' : name.slice(0, -kind.length);
  return ID.test(id) ? id : null;
}

function periodOf(id: string): string {
  return ID.exec(id)?.[1] ?? '';
}
