const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** npm passes on the Ctrl-C that the terminal has already sent: the same press is not a second wish. */
const sameWishMs = 1_000;

export interface Signals {
  readonly first: Promise<NodeJS.Signals>;
  readonly second: Promise<NodeJS.Signals>;
  close(): void;
}

/** The first signal that asks this process to end, and a second that insists. */
export function nextSignal(): Signals {
  let resolveFirst!: (name: NodeJS.Signals) => void;
  let resolveSecond!: (name: NodeJS.Signals) => void;
  const first = new Promise<NodeJS.Signals>((resolve) => { resolveFirst = resolve; });
  const second = new Promise<NodeJS.Signals>((resolve) => { resolveSecond = resolve; });
  let firstAt: number | null = null;
  const onSignal = (name: NodeJS.Signals): void => {
    if (firstAt === null) {
      firstAt = performance.now();
      resolveFirst(name);
    } else if (performance.now() - firstAt > sameWishMs) {
      resolveSecond(name);
    }
  };
  for (const name of names) process.on(name, onSignal);
  return { first, second, close: () => { for (const name of names) process.off(name, onSignal); } };
}
