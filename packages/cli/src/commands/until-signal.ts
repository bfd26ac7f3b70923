/** Aborted by Ctrl-C and SIGTERM: the ordinary end of a command that follows. */
export function untilSignal(): AbortSignal {
  const abort = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => abort.abort());
  return abort.signal;
}
