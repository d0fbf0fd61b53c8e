// How long the engine's build still takes: an estimate that follows the machine it runs on.

/**
 * What crates cost, in seconds of one core of the machine that they were measured on. Only their proportions matter.
 *
 * @typedef {{ heavy: Readonly<Record<string, number>>, other: number }} Costs
 */

/**
 * @typedef {object} Estimator
 * @property {(done: number, total: number) => void} count Cargo's own count. It has build scripts as crates of their own.
 * @property {(crate: string, fresh: boolean) => void} finished A crate's library or program is there.
 * @property {(seconds: number) => { done: number, total: number, left: number | null }} at After this many seconds: crates done, of how many, and seconds left.
 */

/** Trust in the first guess of the rate, as if it had been seen for this long. */
const guessSeconds = 45;

/**
 * The remaining work over the rate at which work was done so far. Counting crates alone would promise far too little:
 * the expensive ones come last.
 *
 * @param {Costs} costs
 * @param {number} cores
 * @returns {Estimator}
 */
export function estimator(costs, cores) {
  const finished = new Set();
  let done = 0;
  let total = 0;
  let workDone = 0;
  const costOf = (/** @type {string} */ crate) => costs.heavy[crate] ?? costs.other;
  return {
    count(doneNow, totalNow) {
      done = doneNow;
      total = totalNow;
    },
    finished(crate, fresh) {
      if (finished.has(crate)) return;
      finished.add(crate);
      if (!fresh) workDone += costOf(crate);
    },
    at(seconds) {
      if (total === 0) return { done, total, left: null };
      const heavyLeft = Object.keys(costs.heavy).filter((crate) => !finished.has(crate));
      const othersLeft = Math.max(0, total - done - heavyLeft.length);
      const workLeft = heavyLeft.reduce((sum, crate) => sum + costOf(crate), 0) + othersLeft * costs.other;
      // More than eight cores wait for each other: the tail of the build is one crate after another.
      const guess = Math.min(cores, 8);
      const rate = (workDone + guess * guessSeconds) / (seconds + guessSeconds);
      return { done, total, left: workLeft / rate };
    },
  };
}

/**
 * Words for a time left: never more precise than the estimate is.
 *
 * @param {number | null} seconds
 */
export function timeLeft(seconds) {
  if (seconds === null) return 'time left not known yet';
  if (seconds < 20) return 'seconds left';
  if (seconds < 90) return `about ${Math.round(seconds / 10) * 10} s left`;
  return `about ${Math.round(seconds / 60)} min left`;
}

/**
 * Shows progress: one line that renews itself on a terminal, else a line now and then.
 *
 * @param {NodeJS.WriteStream} stream
 */
export function progressLine(stream) {
  const everyMs = stream.isTTY ? 200 : 30_000;
  let shownAt = -Infinity;
  return {
    /** @param {string} text */
    show(text) {
      const now = Date.now();
      if (now - shownAt < everyMs) return;
      shownAt = now;
      stream.write(stream.isTTY ? `\r\u001b[K${text.slice(0, (stream.columns ?? 80) - 1)}` : `${text}\n`);
    },
    clear() {
      if (stream.isTTY) stream.write('\r\u001b[K');
    },
  };
}
