import type { Millis, ScaleSpec } from '@appshot/protocol';
import type { LoadWindow } from './load-window.js';

/** What has to be known of an app to decide how many instances it should have. */
export interface SiteView {
  readonly scale: ScaleSpec;
  /** Instances that get requests. */
  readonly ready: number;
  /** When the last of them became ready; null without one. */
  readonly newestReadyAt: Millis | null;
  /** Instances on their way: launching, cloning, restoring. */
  readonly starting: number;
  /** Instances that somebody put to sleep by hand: they stand for `min` ones until a visitor comes. */
  readonly asleepOnRequest: number;
  /** How many more instances the nodes have room for. */
  readonly roomFor: number;
  /** Whether some node has CPU left. More processes on a saturated CPU make nothing faster. */
  readonly cpuLeft: boolean;
  /** `impossible`: the app cannot be snapshotted, or not now, so that more instances are launched, not cloned. */
  readonly template: 'ready' | 'making' | 'none' | 'impossible';
  readonly lastGrownAt: Millis | null;
}

export type GrowBecause = 'below-min' | 'requests-held' | 'concurrency-above-target' | 'p95-above-target';
export type HoldBecause =
  | 'within-targets' | 'asleep' | 'waking' | 'cooling-down' | 'at-max' | 'no-room' | 'template-missing' | 'template-in-making'
  | 'clones-would-not-help' | 'cpu-full';

/** `desired` is how many instances the load asks for, whatever is done now: shrinking looks at its history. */
export type ScaleDecision = { readonly desired: number; readonly facts: Readonly<Record<string, unknown>> } & (
  | { readonly kind: 'grow'; readonly count: number; readonly because: GrowBecause }
  | { readonly kind: 'surplus'; readonly count: number; readonly because: 'more-than-needed' }
  | { readonly kind: 'hold'; readonly because: HoldBecause });

/** Constants of the policy, in one place so that tests and the ADR can name them. */
export const scaleTuning = {
  /** Part of `concurrency` that an instance is planned for; the rest takes the burst until a clone is there (Knative's default target). */
  utilization: 0.7,
  /** After growing, a full load window (2 s) has to pass before the mean or p95 may ask for more: it still shows the time before. */
  coolingMs: 2_000,
  /** With requests held we act on what is in flight now. A clone takes milliseconds and a gateway reports every 250. */
  heldCoolingMs: 500,
  /** A shorter hold is the tail of a wake: one woken instance serves 200 visitors before a clone would be there. */
  heldForMs: 300,
  /** Finished requests below which a p95 says nothing. */
  p95MinFinished: 20,
  /** At most this many at once, or as many as there are already. */
  stepAtLeast: 4,
} as const;

/**
 * How many instances an app should have, and what to do about it now.
 *
 * Worked: concurrency 50, 0.7 of it is 35 an instance. A mean of 120 in flight asks for ceil(120/35) = 4; with 2 ready and
 * 1 starting that is `grow 1`.
 */
export function decideScale(site: SiteView, load: LoadWindow, now: Millis): ScaleDecision {
  const wish = desiredInstances(site, load, now);
  const desired = clamp(wish.desired, 0, site.scale.max);
  const have = site.ready + site.starting;
  const facts = { ready: site.ready, starting: site.starting, inFlight: load.inFlightNow, mean: round(load.inFlightMean), held: load.heldNow, p95Ms: load.p95Ms };
  const hold = (because: HoldBecause): ScaleDecision => ({ kind: 'hold', because, desired, facts });

  if (desired < have) return { kind: 'surplus', count: have - desired, because: 'more-than-needed', desired, facts };
  if (wish.because === null) return hold(wish.hold);
  if (have >= site.scale.max) return hold('at-max');
  if (desired === have) return hold('within-targets');
  if (cooling(site, wish.because, now)) return hold('cooling-down');
  if (site.ready > 0 && site.template === 'making') return hold('template-in-making');
  if (site.ready > 0 && site.template === 'none') return hold('template-missing');
  const count = Math.min(desired - have, Math.max(scaleTuning.stepAtLeast, have), site.roomFor);
  return count <= 0 ? hold('no-room') : { kind: 'grow', count, because: wish.because, desired, facts };
}

type Wish = { desired: number } & ({ because: GrowBecause } | { because: null; hold: HoldBecause });

/** What the load alone asks for: the first of these that wants more than there is. */
function desiredInstances(site: SiteView, load: LoadWindow, now: Millis): Wish {
  const have = site.ready + site.starting;
  const min = Math.max(0, site.scale.min - site.asleepOnRequest);
  if (have < min) return { desired: min, because: 'below-min' };
  // Nothing ready: the first instance is the wake path's business, and its visitors are on its clock, not on ours.
  if (site.ready === 0) return { desired: have, because: null, hold: site.starting > 0 ? 'waking' : 'asleep' };

  const planned = Math.max(1, scaleTuning.utilization * site.scale.concurrency);
  const floor = Math.max(min, 1);
  const byMean = Math.max(floor, Math.ceil(load.inFlightMean / planned));
  // The count of those that are planned for may be wrong (slow responses); that requests wait is not: one more than there is.
  const oneMore = site.starting === 0 ? have + 1 : 0;
  const byHeld = isHolding(site, load, now) ? Math.max(oneMore, Math.ceil(load.inFlightNow / planned)) : 0;
  if (byHeld > Math.max(have, byMean)) return { desired: byHeld, because: 'requests-held' };
  if (byMean > have) return { desired: byMean, because: 'concurrency-above-target' };
  const slow = slowness(site, load);
  if (slow === 'grow') return { desired: have + Math.max(1, Math.ceil(have / 2)), because: 'p95-above-target' };
  // Too slow as it is: taking one away would make it slower.
  const desired = slow === 'fine' ? byMean : Math.max(byMean, have);
  return { desired, because: null, hold: slow === 'fine' ? 'within-targets' : slow };
}

/** Requests wait although every instance has been ready for a while: the last one has had its share of them. */
function isHolding(site: SiteView, load: LoadWindow, now: Millis): boolean {
  if (load.heldNow === 0 || load.heldSince === null || site.newestReadyAt === null) return false;
  return now - Math.max(load.heldSince, site.newestReadyAt) >= scaleTuning.heldForMs;
}

/** Whether the site answers too slowly, and whether more instances could change that. */
function slowness(site: SiteView, load: LoadWindow): 'fine' | 'grow' | 'clones-would-not-help' | 'cpu-full' {
  if (load.p95Ms === null || load.p95Ms <= site.scale.p95Ms || load.finished < scaleTuning.p95MinFinished) return 'fine';
  // One request at a time is as slow with ten instances: clones shorten the queue in front of a program, not the program.
  if (load.inFlightMean <= site.ready) return 'clones-would-not-help';
  return site.cpuLeft ? 'grow' : 'cpu-full';
}

function cooling(site: SiteView, because: GrowBecause, now: Millis): boolean {
  if (site.lastGrownAt === null || because === 'below-min') return false;
  return now - site.lastGrownAt < (because === 'requests-held' ? scaleTuning.heldCoolingMs : scaleTuning.coolingMs);
}

const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value));
const round = (value: number): number => Math.round(value * 10) / 10;
