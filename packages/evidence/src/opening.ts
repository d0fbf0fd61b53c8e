import { randomUUID } from 'node:crypto';
import { Catalog } from './catalog.ts';
import { originOf } from './checkpoint.ts';
import type { Files } from './files.ts';
import { FolderStore } from './folder-store.ts';
import type { Signer } from './note.ts';
import { limits } from './limits.ts';
import { orphaned } from './prepared.ts';
import { Publisher } from './publisher.ts';
import { type Recovered, recover } from './recovery.ts';
import { type Old, removeOld } from './retention.ts';
import type { Database } from './shared/database.ts';
import { expectMayRemove } from './shared/entries.ts';
import { joinLog } from './shared/join.ts';
import { expectAlone } from './shared/mark.ts';
import { SharedStore } from './shared/store.ts';
import { loadSigner, rotation, takeNext } from './signer.ts';
import { Tail } from './tail.ts';
import { Writer } from './writer.ts';

interface Place {
  readonly folder: string;
  /** File of the private key. */
  readonly key: string;
  readonly files: Files;
}

/** A log that is about to be served. */
export interface Opened {
  readonly tail: Tail;
  readonly writer: Writer;
  readonly catalog: Catalog;
  readonly recovered: Recovered;
  readonly signer: Signer;
  /** Closes what processes before this one left open. */
  closeLeft(): Promise<void>;
  /** Resolves when this process knows what others have appended. */
  fresh(): Promise<void>;
  /** What is to be done now and then. */
  look(): Promise<void>;
  /** Lets the next key sign from here on. */
  rotate(next: Signer): Promise<void>;
  /** Says that segments are removed, and removes them. */
  prune(old: Old): Promise<void>;
  /** Segments that one such step may remove. */
  readonly prunesMax: number;
}

/** A log that is this folder's alone. */
export async function openFolder({ folder, key, files }: Place): Promise<Opened> {
  await expectAlone(files, folder);
  const recovered = await recover(files, folder);
  const log = recovered.log ?? randomUUID();
  const signer = await loadSigner(key, originOf(log), recovered.key);
  const catalog = new Catalog(files, folder);
  const tail = new Tail(
    randomUUID(),
    log,
    recovered,
    new Publisher(files, folder, recovered.tiles, originOf(log), signer),
  );
  const writer = new Writer(tail, new FolderStore(tail, catalog, files, folder));
  const message = 'the control plane ended before the session did';
  const left = [...recovered.open].map(([session, intent]) => orphaned(session, intent, message));
  return {
    tail,
    writer,
    catalog,
    recovered,
    signer,
    closeLeft: async () => void (await Promise.all(left.map((outcome) => writer.append(outcome)))),
    fresh: async () => {},
    look: async () => {},
    rotate: async (next) => {
      tail.publisher.next = next;
      await writer.append(rotation(log, tail.publisher.signer, next));
      await takeNext(key, next);
    },
    // Said before it is done: what is missing without a record was taken away.
    prune: async ({ said }) => {
      await writer.append(said);
      await removeOld(tail, files, folder, said.segment);
    },
    prunesMax: Number.POSITIVE_INFINITY,
  };
}

/** A log that servers share, of which the folder has a copy. */
export async function openShared({ folder, key, files }: Place, database: Database): Promise<Opened> {
  const { log, recovered, ...joined } = await joinLog(database, files, folder, key);
  const signer = await loadSigner(key, originOf(log), joined.key);
  const catalog = new Catalog(files, folder);
  const tail = new Tail(
    database.boot,
    log,
    recovered,
    new Publisher(files, folder, recovered.tiles, originOf(log), signer),
  );
  const store = new SharedStore(tail, database, catalog, { files, folder, key });
  await database.serve(log);
  await store.resume();
  const writer = new Writer(tail, store);
  let asked: Promise<void> | null = null;
  return {
    tail,
    writer,
    catalog,
    recovered,
    signer,
    // Others may have left them, and may come back.
    closeLeft: async () => {},
    // Whoever asks before the database is asked shares its answer.
    fresh: () => {
      asked ??= writer
        .between(() => {
          asked = null;
          return store.pull();
        })
        .finally(() => {
          asked = null;
        });
      return asked;
    },
    look: () => writer.between(() => store.look()),
    rotate: (next) => writer.between(() => store.rotate(next)),
    prune: async (old) => {
      await expectMayRemove(database);
      await writer.between(() => store.prune(old));
    },
    prunesMax: limits.prunedSegmentsMax,
  };
}
