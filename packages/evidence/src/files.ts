import { chmod, type FileHandle, mkdir, open, readdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { constants } from 'node:fs';
import { dirname } from 'node:path';
import { type Places, withRoom } from './room.ts';

/** The file system as the log uses it: every step that can fail or lie is here, so that tests can make it. */
export interface Files {
  ensureFolder(path: string): Promise<void>;
  list(folder: string): Promise<readonly string[]>;
  read(path: string): Promise<Buffer>;
  readAt(path: string, offset: number, length: number): Promise<Buffer>;
  /** Creates a file that was not there, durably named. */
  create(path: string): Promise<LogFile>;
  /**
   * The same, of which all that is appended survives a loss of power when `append` returns. Until it is closed it may end in zeros: see
   * `withRoom`.
   */
  createDurable(path: string): Promise<LogFile>;
  /** Opens a file that is there, cut to a length, to write on from there. */
  reopen(path: string, length: number): Promise<LogFile>;
  /** Replaces a file's content as one step. */
  replace(path: string, bytes: Buffer): Promise<void>;
  /** Replaces a file's content as one step, which a loss of power may undo. */
  write(path: string, bytes: Buffer): Promise<void>;
  /** Returns when what was written to these survives a loss of power. */
  settle(paths: readonly string[]): Promise<void>;
  remove(path: string): Promise<void>;
  /** Removes a folder if nothing is in it. */
  removeEmpty(folder: string): Promise<void>;
}

export interface LogFile {
  /** Writes all bytes at the end of what was written. */
  append(bytes: Buffer): Promise<void>;
  /** Returns when everything appended survives a loss of power. */
  sync(): Promise<void>;
  truncate(length: number): Promise<void>;
  close(): Promise<void>;
}

const FILE_MODE = 0o600;
const NEW = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
/**
 * Linux writes and syncs in one call, with what `fdatasync` promises: one way to another thread and back in place of two. 0:
 * elsewhere the flag is missing, or leaves what was written in the disk's own cache.
 */
const DURABLE = process.platform === 'linux' ? constants.O_DSYNC : 0;

/** The real one. */
export const disk: Files = {
  ensureFolder: async (path) => {
    await mkdir(path, { recursive: true, mode: 0o700 });
    await chmod(path, 0o700);
  },
  list: (folder) => readdir(folder),
  read: (path) => readFile(path),
  readAt: async (path, offset, length) => {
    const file = await open(path, 'r');
    try {
      const bytes = Buffer.alloc(length);
      const { bytesRead } = await file.read(bytes, 0, length, offset);
      return bytes.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  },
  create: async (path) => {
    const file = await open(path, NEW, FILE_MODE);
    await syncPath(dirname(path));
    return logFile(file);
  },
  createDurable: async (path) => {
    const file = await open(path, NEW | DURABLE, FILE_MODE);
    await syncPath(dirname(path));
    return withRoom(placesOf(file));
  },
  reopen: async (path, length) => {
    const file = await open(path, 'a', FILE_MODE);
    await file.truncate(length);
    return logFile(file);
  },
  replace: async (path, bytes) => {
    const file = await open(`${path}.new`, 'w', FILE_MODE);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } catch (error) {
      // Half of it would take the room that outcomes need.
      await rm(`${path}.new`, { force: true });
      throw error;
    } finally {
      await file.close();
    }
    await rename(`${path}.new`, path);
    await syncPath(dirname(path));
  },
  write: async (path, bytes) => {
    try {
      await writeFile(`${path}.new`, bytes, { mode: FILE_MODE });
      await rename(`${path}.new`, path);
    } catch (error) {
      await rm(`${path}.new`, { force: true });
      throw error;
    }
  },
  settle: async (paths) => {
    // One at a time, and a folder once: records wait for the same few threads.
    for (const path of new Set([...paths, ...paths.map((one) => dirname(one))])) await syncPath(path);
  },
  remove: (path) => rm(path, { force: true }),
  removeEmpty: (folder) =>
    rmdir(folder).catch((error: NodeJS.ErrnoException) => {
      if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(error.code ?? '')) throw error;
    }),
};

function logFile(file: FileHandle): LogFile {
  return {
    append: (bytes) => writeAll(file, bytes, null),
    sync: () => file.datasync(),
    truncate: (length) => file.truncate(length),
    close: () => file.close(),
  };
}

function placesOf(file: FileHandle): Places {
  return {
    ...logFile(file),
    write: async (bytes, at) => {
      await writeAll(file, bytes, at);
      // Where the kernel does not write and sync in one call.
      if (DURABLE === 0) await file.datasync();
    },
  };
}

/** Null: at the end of what was written. A short write is not an error to the kernel: the rest comes in the next, or fails there. */
async function writeAll(file: FileHandle, bytes: Buffer, at: number | null): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const place = at === null ? null : at + written;
    written += (await file.write(bytes, written, bytes.length - written, place)).bytesWritten;
  }
}

/** A file or a folder. */
async function syncPath(path: string): Promise<void> {
  const opened = await open(path, 'r');
  try {
    await opened.sync();
  } finally {
    await opened.close();
  }
}
