import { formatMs } from './format.js';

const frameMs = 100;

/**
 * Shows on standard error that work goes on: a line that counts on a terminal; elsewhere nothing until it takes long.
 * @returns what the work returns.
 */
export async function withProgress<T>(what: string, work: () => Promise<T>, { quiet = false } = {}): Promise<T> {
  if (quiet) return work();
  const from = performance.now();
  const timer = process.stderr.isTTY ? counting(what, from) : announcing(what);
  try {
    return await work();
  } finally {
    clearInterval(timer);
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  }
}

function counting(what: string, from: number): NodeJS.Timeout {
  return setInterval(() => process.stderr.write(`\r\x1b[K${what} … ${formatMs(performance.now() - from)}`), frameMs);
}

/** One line, and only about work that takes longer than a second. */
function announcing(what: string): NodeJS.Timeout {
  return setTimeout(() => process.stderr.write(`${what} …\n`), 1_000);
}
