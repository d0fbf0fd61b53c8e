import type { LogFile } from './files.ts';
import { limits } from './limits.ts';

/** A file that is written at places. What `write` has written survives a loss of power when it returns. */
export interface Places {
  write(bytes: Buffer, at: number): Promise<void>;
  sync(): Promise<void>;
  truncate(length: number): Promise<void>;
  close(): Promise<void>;
}

/** Made once: a megabyte each time would wait for the collector. */
const ZEROS = Buffer.alloc(limits.roomBytes);

/** What a disk says that has no room. */
const FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/**
 * A new file to append to, with room of zeros made durable behind what was appended. To write where a file is already takes the disk
 * one write; a file that grows has its length and place changed as well, through the file system's journal, each time. When it is
 * closed the room is gone.
 */
export function withRoom(file: Places): LogFile {
  let length = 0;
  let room = 0;
  const grow = async (): Promise<void> => {
    try {
      await file.write(ZEROS, room);
      room += ZEROS.length;
    } catch (error) {
      if (!FULL.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
      // What is to be written may fit alone.
      await file.truncate(room);
    }
  };
  return {
    append: async (bytes) => {
      const end = length + bytes.length;
      // Longer ones have little to win.
      if (end > room && bytes.length < ZEROS.length) await grow();
      await file.write(bytes, length);
      length = end;
      room = Math.max(room, length);
    },
    sync: () => file.sync(),
    truncate: async (to) => {
      await file.truncate(to);
      length = to;
      room = to;
    },
    close: async () => {
      try {
        await file.truncate(length);
        await file.sync();
      } finally {
        await file.close();
      }
    },
  };
}
