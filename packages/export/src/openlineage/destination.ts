import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Endpoint } from '../config.ts';
import { type Answer, Receiver } from '../receiver.ts';

/** Where events go. */
export interface Destination {
  /** One event, as JSON. Never throws. */
  send(event: string, stopped: AbortSignal): Promise<Answer>;
  /** Returns when what was taken survives a loss of power here. What is over there is not ours. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

export async function destinationOf(to: Endpoint | { readonly file: string }): Promise<Destination> {
  if ('file' in to) return new EventFile(to.file);
  const receiver = await Receiver.create('exports.openlineage', to);
  return {
    send: (event, stopped) => receiver.post('', event, stopped),
    settle: async () => {},
    close: async () => {},
  };
}

/** A file that events are added to, one a line. */
class EventFile implements Destination {
  readonly #path: string;
  #file: FileHandle | null = null;

  constructor(path: string) {
    this.#path = path;
  }

  async send(event: string): Promise<Answer> {
    try {
      this.#file ??= await opened(this.#path);
      await this.#file.appendFile(`${event}\n`);
      return { kind: 'taken' };
    } catch (error) {
      // What was half written is cut off when it is opened again.
      await this.close().catch(() => undefined);
      return {
        kind: 'failed',
        reason: `its file cannot be written (${(error as NodeJS.ErrnoException).code})`,
        afterMs: null,
      };
    }
  }

  async settle(): Promise<void> {
    await this.#file?.datasync();
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    await file?.close();
  }
}

/** Opens the file, and cuts off a line that has no end: whoever wrote it was killed, and it is written again. */
async function opened(path: string): Promise<FileHandle> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const file = await open(path, 'a+', 0o600);
  const { size } = await file.stat();
  let end = size;
  while (end > 0) {
    const from = Math.max(0, end - TAIL_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(end - from), 0, end - from, from);
    const at = buffer.subarray(0, bytesRead).lastIndexOf(10);
    if (at >= 0) {
      end = from + at + 1;
      break;
    }
    end = from;
  }
  if (end < size) await file.truncate(end);
  return file;
}

const TAIL_BYTES = 64 * 1024;
