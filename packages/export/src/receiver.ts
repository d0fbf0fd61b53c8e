import { setTimeout as sleep } from 'node:timers/promises';
import { checkedUrl, type Endpoint, readHeaders } from './config.ts';
import { limits } from './limits.ts';

/** What became of something that was sent. */
export type Answer =
  | { readonly kind: 'taken' }
  /** It will never be taken as it is. */
  | { readonly kind: 'rejected'; readonly reason: string }
  /** It may be taken later. */
  | { readonly kind: 'failed'; readonly reason: string; readonly afterMs: number | null };

/** Statuses that are about what was sent, not about who sends it or how the receiver is. */
const REJECTING = [400, 413, 415, 422];

/** A receiver over HTTP. Follows no redirect: a header with a token goes where it was declared, and nowhere else. */
export class Receiver {
  readonly #where: string;
  readonly #url: URL;
  readonly #files: Endpoint['headers'];
  #headers: Record<string, string> | null = null;

  private constructor(where: string, url: URL, files: Endpoint['headers']) {
    this.#where = where;
    this.#url = url;
    this.#files = files;
  }

  /** Throws `ExportsInvalid`. Asks nothing of the receiver: one that is down must not keep a server from starting. */
  static async create(where: string, { url, headers }: Endpoint): Promise<Receiver> {
    const receiver = new Receiver(where, checkedUrl(where, url), headers);
    receiver.#headers = await readHeaders(where, headers);
    return receiver;
  }

  /** Sends JSON. Never throws; a failure's reason holds nothing that was sent or answered but a status. */
  async post(path: string, body: Uint8Array | string, stopped: AbortSignal): Promise<Answer> {
    const given = new AbortController();
    const stop = (): void => given.abort();
    const late = setTimeout(stop, limits.answerMsMax);
    stopped.addEventListener('abort', stop, { once: true });
    const { signal } = given;
    try {
      this.#headers ??= await readHeaders(this.#where, this.#files);
      const answer = await fetch(this.#at(path), {
        method: 'POST',
        headers: { ...this.#headers, 'content-type': 'application/json' },
        body: body as string,
        redirect: 'manual',
        signal,
      });
      await drained(answer);
      return this.#judge(answer);
    } catch (error) {
      return { kind: 'failed', reason: reasonOf(error, signal), afterMs: null };
    } finally {
      clearTimeout(late);
      stopped.removeEventListener('abort', stop);
    }
  }

  #at(path: string): URL {
    const url = new URL(this.#url);
    if (path !== '') url.pathname = `${url.pathname.replace(/\/$/, '')}${path}`;
    return url;
  }

  #judge({ status, headers }: Response): Answer {
    if (status >= 200 && status < 300) return { kind: 'taken' };
    if (REJECTING.includes(status)) return { kind: 'rejected', reason: `it answers ${status}` };
    // The token may have been changed: its file is read again.
    if (status === 401 || status === 403) this.#headers = null;
    const seconds = Number(headers.get('retry-after') ?? Number.NaN);
    const afterMs = Number.isFinite(seconds) ? Math.min(Math.max(0, seconds * 1_000), limits.backoffMsMax) : null;
    return { kind: 'failed', reason: `it answers ${status}`, afterMs };
  }
}

/** The connection is kept only when its answer was read. */
async function drained({ body }: Response): Promise<void> {
  if (body === null) return;
  let bytes = 0;
  for await (const chunk of body) {
    bytes += (chunk as Uint8Array).length;
    if (bytes > limits.answerBytesMax) break;
  }
}

function reasonOf(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return 'it does not answer';
  const cause = (error as { cause?: { code?: unknown } }).cause?.code;
  return typeof cause === 'string' ? `it cannot be reached (${cause})` : (error as Error).message;
}

/** How long to wait before an attempt, the first being 0. */
export function backoffMs(attempt: number): number {
  const full = Math.min(limits.backoffMsMax, limits.backoffMsMin * 2 ** Math.min(attempt, 20));
  // A crowd of servers must not come back to a receiver at one moment.
  return full * (0.5 + Math.random() / 2);
}

/** Waits, or until stopped. */
export async function pause(ms: number, stopped: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal: stopped, ref: false }).catch(() => undefined);
}
