const frameMs = 100;

/** Shows on a terminal that work goes on, as a line on standard error that counts; elsewhere nothing. @returns what the work returns. */
export async function withProgress<T>(what: string, work: () => Promise<T>, { quiet }: { readonly quiet: boolean }): Promise<T> {
  if (quiet || what === '' || !process.stderr.isTTY) return work();
  const from = performance.now();
  const timer = setInterval(() => process.stderr.write(`\r\x1b[K${what} … ${((performance.now() - from) / 1000).toFixed(1)} s`), frameMs);
  try {
    return await work();
  } finally {
    clearInterval(timer);
    process.stderr.write('\r\x1b[K');
  }
}
