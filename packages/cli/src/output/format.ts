const units = ['B', 'kB', 'MB', 'GB', 'TB'];

/** 12.3 MB: powers of 1000, three digits. */
export function formatBytes(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** power;
  return `${power === 0 ? String(bytes) : value.toPrecision(3)} ${units[power]}`;
}

/** 2.31 ms, 1.2 s. */
export function formatMs(ms: number): string {
  if (ms < 1000) return `${ms >= 100 ? ms.toFixed(0) : ms.toPrecision(3)} ms`;
  return `${(ms / 1000).toFixed(1)} s`;
}

/** How long ago, in its largest unit: 8s, 3m, 2h, 5d. */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

/** restore 2.1 ms, first reply 3.0 ms */
export function formatPhases(phases: Readonly<Record<string, number>> = {}): string {
  return Object.entries(phases).map(([name, ms]) => `${name} ${formatMs(ms)}`).join(', ');
}
