/**
 * How long an app's pauses were: a histogram whose bins grow by √2, from 2 seconds to 36 hours, in which older pauses count less.
 *
 * Pauses shorter than the floor are not recorded. A site never goes to sleep within them, so they say nothing about when it
 * should, and a busy hour's thousands of them would make the app forget its nights.
 */
export interface IdleHistory {
  /** Weight by bin, the newest pause weighing 1. */
  readonly bins: readonly number[];
  /** Sum of the lengths by bin, milliseconds, with the same weights: gives each bin its mean instead of a guess. */
  readonly sums: readonly number[];
  /** Pauses recorded ever. */
  readonly count: number;
}

/** Shortest time after which `auto` puts an app to sleep, and the first bin's lower edge. */
export const idleFloorMs = 2_000;
/** Longest time that `auto` keeps an idle app awake. */
export const idleCeilingMs = 15 * 60_000;

const binCount = 32;
const growth = Math.SQRT2;
/** What one more pause leaves of the weight of those before: half after 34. */
const decay = 0.98;

export const emptyIdleHistory: IdleHistory = { bins: [], sums: [], count: 0 };

/** Records one pause: from the last request's end to the next one's arrival. */
export function recordIdle(history: IdleHistory, idleMs: number): IdleHistory {
  if (!(idleMs >= idleFloorMs)) return history;
  const bin = Math.min(binCount - 1, Math.floor(Math.log(idleMs / idleFloorMs) / Math.log(growth)));
  const add = (list: readonly number[], amount: number): number[] =>
    Array.from({ length: Math.max(list.length, bin + 1) }, (_, i) => (list[i] ?? 0) * decay + (i === bin ? amount : 0));
  return { bins: add(history.bins, 1), sums: add(history.sums, idleMs), count: history.count + 1 };
}

/** The bins that have something, as weighted mean lengths. */
export function idleMasses(history: IdleHistory): { readonly weight: number; readonly meanMs: number }[] {
  return history.bins.flatMap((weight, bin) => (weight > 1e-6 ? [{ weight, meanMs: (history.sums[bin] ?? 0) / weight }] : []));
}
