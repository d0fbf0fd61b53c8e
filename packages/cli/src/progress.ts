import { bytesText } from './display.ts';
import { limits } from './limits.ts';
import type { Terminal } from './terminal.ts';

export interface Progress {
  /** More bytes came. */
  readonly received: (bytes: number) => void;
  /** Takes the line away. */
  readonly end: () => void;
}

/** A line on the terminal that says that something happens. None when nobody watches, and none for what is quick. */
export function startProgress(terminal: Terminal): Progress {
  if (!terminal.errIsTerminal) return { received: () => {}, end: () => {} };
  const started = Date.now();
  let bytes = 0;
  let shown = false;
  const show = (): void => {
    const seconds = Math.floor((Date.now() - started) / 1000);
    shown = true;
    terminal.err.write(`\r\u001b[K${bytes === 0 ? 'running' : bytesText(bytes)}, ${seconds} s`);
  };
  let timer: NodeJS.Timeout = setTimeout(() => {
    show();
    timer = setInterval(show, limits.progressEveryMs);
  }, limits.progressAfterMs);
  return {
    received(more) {
      bytes += more;
    },
    end() {
      clearTimeout(timer);
      if (shown) terminal.err.write('\r\u001b[K');
      shown = false;
    },
  };
}
