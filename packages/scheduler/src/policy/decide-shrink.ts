import type { Aid, Millis, ScaleSpec } from '@appshot/protocol';

/** What decideScale wished for, and when. */
export interface Desired { readonly at: Millis; readonly desired: number }

export interface ShrinkCandidate {
  readonly aid: Aid;
  /** Requests in flight to it, as far as the gateways have reported. */
  readonly inFlight: number;
}

export type ShrinkDecision =
  | { readonly kind: 'retire'; readonly aids: readonly Aid[]; readonly because: 'more-than-needed'; readonly facts: Readonly<Record<string, unknown>> }
  | { readonly kind: 'hold'; readonly because: 'needed' | 'stabilizing' | 'growing' | 'requests-held' };

export const shrinkTuning = {
  /** The highest wish of this time counts, as in Kubernetes' scale-down stabilisation; short, for a clone is back in milliseconds. */
  stabilizeMs: 10_000,
} as const;

/** Adds a wish and forgets those that no longer count. */
export function rememberDesired(history: readonly Desired[], wish: Desired): Desired[] {
  return [...history.filter((entry) => wish.at - entry.at < shrinkTuning.stabilizeMs), wish];
}

/**
 * Which instances go. `history` must reach back over the stabilisation time before anything goes: a scheduler that has just
 * started knows nothing of the load and takes nothing away.
 *
 * The oldest instance never goes this way: it is the one that the site was launched as, its clones came from it, and what it
 * has in memory is what the site's owner calls the site. It is put to sleep instead (decideIdle).
 */
export function decideShrink(
  site: { scale: ScaleSpec; ready: readonly ShrinkCandidate[]; starting: number; held: number; observedSince: Millis },
  history: readonly Desired[],
  now: Millis,
): ShrinkDecision {
  if (site.held > 0) return { kind: 'hold', because: 'requests-held' };
  if (site.starting > 0) return { kind: 'hold', because: 'growing' };
  const wishes = history.filter((entry) => now - entry.at < shrinkTuning.stabilizeMs).map((entry) => entry.desired);
  const keep = Math.max(1, site.scale.min, ...wishes);
  const surplus = site.ready.length - keep;
  if (surplus <= 0) return { kind: 'hold', because: 'needed' };
  if (now - site.observedSince < shrinkTuning.stabilizeMs) return { kind: 'hold', because: 'stabilizing' };
  // Not more than half at once: the rest takes over what those had, and the next wish sees how it bears that.
  const count = Math.min(surplus, Math.max(1, Math.floor(site.ready.length / 2)));
  return { kind: 'retire', aids: leavingOrder(site.ready).slice(0, count), because: 'more-than-needed', facts: { ready: site.ready.length, keep } };
}

/** The least busy first, of those the youngest; the oldest of all is not in the list. */
function leavingOrder(ready: readonly ShrinkCandidate[]): Aid[] {
  const byAge = ready.toSorted((a, b) => (a.aid < b.aid ? -1 : 1));
  return byAge.slice(1).sort((a, b) => a.inFlight - b.inFlight || (a.aid > b.aid ? -1 : 1)).map((one) => one.aid);
}
