import type { Millis, ScaleSpec } from '@appshot/protocol';
import { idleCeilingMs, idleFloorMs, idleMasses, type IdleHistory } from './idle-history.js';

/** What has to be known of an app to decide whether it goes to sleep. */
export interface IdleView {
  readonly scale: ScaleSpec;
  readonly ready: number;
  readonly starting: number;
  readonly inFlight: number;
  /** When its last request arrived or ended, or when it became ready if that was later. */
  readonly idleSince: Millis;
  readonly memoryBytes: number;
  /** What a visitor waits for its wake, milliseconds, as seen so far. */
  readonly wakeMs: number;
  /** How short of memory its node is: 0 not at all, 1 nothing left. */
  readonly memoryShortage: number;
  /** A template is still to be made of it: its only instance has to stay for that. */
  readonly templateWanted: boolean;
  /** Not before this time: it could not be put to sleep lately. */
  readonly notBefore: Millis;
}

export type IdleDecision =
  | { readonly kind: 'sleep'; readonly because: LimitBecause; readonly facts: Readonly<Record<string, unknown>> }
  | { readonly kind: 'stay'; readonly because: 'in-use' | 'not-idle-long-enough' | 'never' | 'min-instances' | 'nothing-awake' | 'starting' | 'clones-go-first' | 'template-first' | 'failed-lately' };

export type LimitBecause = 'idle-limit-of-the-app-file' | 'break-even' | 'learned-from-pauses';

export const idleTuning = {
  /**
   * What a millisecond of a visitor's wait is worth: so many megabytes kept for a second. With 200, a 64 MB site that wakes in
   * 20 ms breaks even after 20·200/64 = 62 s; one of 512 MB and 60 ms after 23 s.
   */
  mbSecondsPerWakeMs: 200,
  /** Pauses after which the app's own history is used. */
  learnAfter: 8,
  /** With no memory left, memory is this much dearer. */
  shortageFactor: 10,
} as const;

/** Whether the last awake instance of an app goes to sleep now. */
export function decideIdle(view: IdleView, history: IdleHistory, now: Millis): IdleDecision {
  const stay = (because: Extract<IdleDecision, { kind: 'stay' }>['because']): IdleDecision => ({ kind: 'stay', because });
  if (view.scale.idleMs === 'never') return stay('never');
  if (view.ready === 0) return stay('nothing-awake');
  if (view.inFlight > 0) return stay('in-use');
  if (view.scale.min > 0) return stay('min-instances');
  if (view.starting > 0) return stay('starting');
  if (view.ready > 1) return stay('clones-go-first');
  if (now < view.notBefore) return stay('failed-lately');
  const limit = idleLimit(view, history);
  const idleForMs = now - view.idleSince;
  if (idleForMs < limit.limitMs) return stay('not-idle-long-enough');
  if (view.templateWanted) return stay('template-first');
  return { kind: 'sleep', because: limit.because, facts: { idleForMs: Math.round(idleForMs), limitMs: Math.round(limit.limitMs) } };
}

/**
 * How long the app may be idle, milliseconds. `auto` lies between 2 s and 15 min:
 *
 * - Without a history: the break-even time, after which the memory kept costs as much as the wake. Whatever comes, this costs
 *   at most twice what somebody who knew the future would pay (ski rental; Karlin et al., Algorithmica 3, 1988).
 * - With one: the limit that would have cost least over the pauses seen. That is the adaptive holding time of Keshav et al.
 *   (IEEE JSAC 13(8), 1995) on the per-application histogram of idle times of Shahrad et al., "Serverless in the Wild"
 *   (USENIX ATC 2020). There a miss is a cold start of seconds, so the histogram's 99th percentile is kept; here a wake costs
 *   milliseconds, so the limit is the cheapest, not the safest. No forecast is made to wake an app before its visitor.
 */
export function idleLimit(view: Pick<IdleView, 'scale' | 'memoryBytes' | 'wakeMs' | 'memoryShortage'>, history: IdleHistory): { limitMs: number; because: LimitBecause } {
  if (typeof view.scale.idleMs === 'number') return { limitMs: view.scale.idleMs, because: 'idle-limit-of-the-app-file' };
  const breakEvenMs = breakEven(view);
  if (history.count < idleTuning.learnAfter) return { limitMs: bounded(breakEvenMs), because: 'break-even' };
  return { limitMs: cheapestLimit(history, breakEvenMs), because: 'learned-from-pauses' };
}

/** Idle time after which the memory kept has cost as much as one wake, milliseconds. */
function breakEven(view: Pick<IdleView, 'memoryBytes' | 'wakeMs' | 'memoryShortage'>): number {
  const shortage = Math.min(1, Math.max(0, view.memoryShortage));
  const mb = Math.max(1, view.memoryBytes / 1e6) * (1 + (idleTuning.shortageFactor - 1) * shortage);
  return (view.wakeMs * idleTuning.mbSecondsPerWakeMs / mb) * 1000;
}

/** Cost of a limit over the pauses seen, in milliseconds of the app's memory: a wake costs `breakEvenMs`. */
export function limitCost(history: IdleHistory, limitMs: number, breakEvenMs: number): number {
  return idleMasses(history).reduce((sum, { weight, meanMs }) => sum + weight * (meanMs <= limitMs ? meanMs : limitMs + breakEvenMs), 0);
}

/**
 * The cost falls by jumps at the pauses' lengths and rises in between, so the best limit is the floor or just above one of them.
 * Of equally good ones the shortest.
 */
function cheapestLimit(history: IdleHistory, breakEvenMs: number): number {
  const candidates = [idleFloorMs, ...idleMasses(history).map(({ meanMs }) => meanMs).filter((ms) => ms > idleFloorMs && ms * pauseSlack <= idleCeilingMs)];
  let best = { limitMs: idleFloorMs, cost: Infinity };
  for (const limitMs of candidates) {
    const cost = limitCost(history, limitMs, breakEvenMs);
    if (cost < best.cost - 1e-9) best = { limitMs, cost };
  }
  return bounded(best.limitMs === idleFloorMs ? idleFloorMs : best.limitMs * pauseSlack);
}

/** A bin's pauses lie around its mean; its upper edge is at most √2 above its lower one. */
const pauseSlack = Math.SQRT2;

const bounded = (ms: number): number => Math.min(idleCeilingMs, Math.max(idleFloorMs, ms));
