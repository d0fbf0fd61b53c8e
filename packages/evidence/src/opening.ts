import { randomUUID } from 'node:crypto';
import { Catalog } from './catalog.ts';
import { originOf } from './checkpoint.ts';
import type { Files } from './files.ts';
import { FolderStore } from './folder-store.ts';
import type { Signer } from './note.ts';
import { orphaned } from './prepared.ts';
import { Publisher } from './publisher.ts';
import { type Recovered, recover } from './recovery.ts';
import type { Database } from './shared/database.ts';
import { expectProven, joinLog } from './shared/join.ts';
import { SharedStore } from './shared/store.ts';
import { loadSigner } from './signer.ts';
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
}

/** A log that is this folder's alone. */
export async function openFolder({ folder, key, files }: Place): Promise<Opened> {
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
  };
}

/** A log that servers share, of which the folder has a copy. */
export async function openShared({ folder, key, files }: Place, database: Database): Promise<Opened> {
  const joined = await joinLog(database, files, folder, key);
  const { log } = joined;
  const recovered = await recover(files, folder);
  expectProven(joined, recovered);
  const signer = await loadSigner(key, originOf(log), joined.key);
  const catalog = new Catalog(files, folder);
  const tail = new Tail(
    database.boot,
    log,
    recovered,
    new Publisher(files, folder, recovered.tiles, originOf(log), signer),
  );
  const store = new SharedStore(tail, database, catalog, files, folder);
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
  };
}
