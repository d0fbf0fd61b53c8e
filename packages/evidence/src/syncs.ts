import type { Files, LogFile } from './files.ts';

/** Records that one sync made durable. */
export interface SyncedBatch {
  readonly records: number;
  /** Milliseconds that the sync took. */
  readonly ms: number;
}

/** The same files, with somebody told of each batch of records that is durable in a segment. They must not throw. */
export function watchedSyncs(files: Files, tell: (batch: SyncedBatch) => void): Files {
  return {
    ensureFolder: (path) => files.ensureFolder(path),
    list: (folder) => files.list(folder),
    read: (path) => files.read(path),
    readAt: (path, offset, length) => files.readAt(path, offset, length),
    create: async (path) => watched(await files.create(path), tell),
    replace: (path, bytes) => files.replace(path, bytes),
    write: (path, bytes) => files.write(path, bytes),
    settle: (path) => files.settle(path),
    remove: (path) => files.remove(path),
    removeEmpty: (folder) => files.removeEmpty(folder),
  };
}

function watched(file: LogFile, tell: (batch: SyncedBatch) => void): LogFile {
  // The first line is the segment's header.
  let lines = -1;
  return {
    append: async (bytes) => {
      await file.append(bytes);
      for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) lines += 1;
    },
    sync: async () => {
      const since = performance.now();
      await file.sync();
      if (lines > 0) tell({ records: lines, ms: performance.now() - since });
      lines = 0;
    },
    truncate: (length) => file.truncate(length),
    close: () => file.close(),
  };
}
