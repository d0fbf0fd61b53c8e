import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { disk } from '../src/files.ts';
import { type EvidenceLog, openLog } from '../src/log.ts';
import { fetchLog } from '../src/shared/fetch.ts';
import type { DatabaseOptions } from '../src/shared/options.ts';
import { readParts, TILE_WIDTH } from '../src/tiles.ts';
import { verifyLog } from '../src/verify.ts';
import type { Postgres } from './postgres.ts';
import { freshFolder } from './support.ts';

let schemas = 0;

/** A log that servers of one test share. */
export interface SharedLog {
  readonly options: DatabaseOptions;
  readonly key: string;
  /** A server in this process, with a folder of its own. */
  open(folder?: string, port?: number, key?: string): Promise<{ readonly log: EvidenceLog; readonly folder: string }>;
  /** Resolves when servers that are gone are known to be, and a server has closed what they left. */
  settled(log: EvidenceLog): Promise<void>;
  /** The log as an auditor gets it, verified: the same as in these folders, byte for byte. */
  fetched(...folders: readonly string[]): Promise<string>;
}

export async function sharedLog(postgres: Postgres): Promise<SharedLog> {
  const schema = `log_${process.pid}_${(schemas += 1)}`;
  const key = `${await freshFolder()}.key`;
  onTestFinished(async () => {
    for (const file of [key, `${key}.next`, `${key}.lock`]) await rm(file, { force: true });
  });
  const options = postgres.options(schema);
  return {
    options,
    key,
    open: async (given, port = options.port, own = key) => {
      const folder = given ?? (await freshFolder());
      const log = await openLog({ folder, key: own, ambit: '0.1.0', shared: { ...options, port } });
      onTestFinished(() => log.close());
      return { log, folder };
    },
    settled: (log) =>
      until(async () => {
        const serving = `SELECT FROM ${schema}.servers WHERE state = 'serving' AND boot <> '${log.boot}'`;
        return (await postgres.query(serving)).length === 0;
      }),
    fetched: async (...folders) => {
      const folder = await mkdtemp(join(tmpdir(), 'ambit-fetched-'));
      onTestFinished(() => rm(folder, { recursive: true }));
      await fetchLog(options, folder);
      const [all, whole] = [await contents(folder), (await verifyLog(folder)).problems];
      expect(whole).toEqual([]);
      for (const other of folders) {
        expect(await contents(other)).toEqual(all);
        expect((await verifyLog(other)).problems).toEqual([]);
      }
      return folder;
    },
  };
}

/** Segments of a folder, by name. */
async function contents(folder: string): Promise<Record<string, string>> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.segment'));
  const read = await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name), 'latin1')]));
  return Object.fromEntries(read) as Record<string, string>;
}

/** Sessions by type of record, as the tree of a folder has them: those too whose records were removed for their age. */
export async function leavesOf(folder: string): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const { signed } = await verifyLog(folder);
  const found = new Map<string, Set<string>>();
  for (let at = 0; at < signed; at += TILE_WIDTH) {
    const entries = await readParts(disk, folder, -1, at / TILE_WIDTH, Math.min(TILE_WIDTH, signed - at));
    for (const entry of entries ?? []) {
      const { type, session } = JSON.parse(entry.toString()) as { type: string; session?: string };
      if (session !== undefined) found.set(type, (found.get(type) ?? new Set()).add(session));
    }
  }
  return found;
}

/** Resolves when something holds. */
export async function until(holds: () => boolean | Promise<boolean>, ms = 15_000): Promise<void> {
  const end = performance.now() + ms;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error('it does not come to hold');
    await new Promise((done) => setTimeout(done, 20));
  }
}
