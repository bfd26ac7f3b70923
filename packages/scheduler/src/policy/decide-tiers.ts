import type { AppName, Millis } from '@appshot/protocol';

/** Instances that were added to an app for its load, and when. */
export interface Growth { readonly at: Millis; readonly count: number }

/** What has to be known of an app to say what of it is kept ready on a node. */
export interface TierSite {
  readonly app: AppName;
  readonly priority: number;
  /** Instances that get requests or are about to. */
  readonly awake: number;
  /** Instances at most. */
  readonly max: number;
  /** Memory that the zygote of its template takes, bytes; null without a template. */
  readonly templateBytes: number | null;
  /** Memory that one more clone takes, bytes. */
  readonly cloneBytes: number;
  readonly growth: readonly Growth[];
  /** What of it is there now. */
  readonly zygote: boolean;
  readonly parked: number;
}

/** What a node has left, what stands ready counted as used. */
export interface TierMemory {
  /** What it can still give, bytes; may be negative. */
  readonly roomBytes: number;
  readonly totalBytes: number;
  /** Kernel pressure of the memory, `some avg10`, percent; null when the kernel has none. */
  readonly pressure: number | null;
}

export type TierBecause = 'grew-lately' | 'awake' | 'asleep' | 'cannot-be-cloned' | 'no-room' | 'memory-pressure';

/** Keep the zygote of its template resident or not, and so many clones parked. */
export interface TierDecision { readonly app: AppName; readonly zygote: boolean; readonly parked: number; readonly because: TierBecause }

export const tierTuning = {
  /** A burst is likely to be followed by another for this long. */
  rememberMs: 600_000,
  /** What grows within this time grows for one burst. */
  burstMs: 10_000,
  /** Parked clones of one app at most: they are there for the first moment of a burst, and forks follow. */
  parkedAtMost: 4,
  /** Part of a node's memory that is never taken for what may not be wanted. */
  spare: 0.1,
  /** Pressure above which nothing is kept ready. */
  pressed: 10,
} as const;

/** Adds a growth and forgets those that no longer count. */
export function rememberGrowth(history: readonly Growth[], growth: Growth): Growth[] {
  return [...history, growth].filter((entry) => growth.at - entry.at < tierTuning.rememberMs && entry.count > 0);
}

/**
 * What of each app is kept ready on one node: parked clones serve within a millisecond, a resident zygote makes a clone a fork,
 * and everything else sleeps as an image.
 *
 * Zygotes come before parked clones: one helps every clone to come. Within each, the more important app comes first, and of
 * equals the one that has grown last. As many clones are parked as the largest burst of the last ten minutes asked for.
 */
export function decideTiers(sites: readonly TierSite[], memory: TierMemory, now: Millis): TierDecision[] {
  const pressed = (memory.pressure ?? 0) > tierTuning.pressed;
  const kept = sites.reduce((sum, site) => sum + (site.zygote ? site.templateBytes ?? 0 : 0) + site.parked * site.cloneBytes, 0);
  let left = pressed ? 0 : memory.roomBytes + kept - tierTuning.spare * memory.totalBytes;
  const take = (bytes: number): boolean => {
    if (bytes > left) return false;
    left -= bytes;
    return true;
  };
  const inOrder = sites.toSorted((a, b) => b.priority - a.priority || lastGrowth(b) - lastGrowth(a) || (a.app < b.app ? -1 : 1));
  const zygotes = new Set(inOrder.filter((site) => wantsZygote(site) && take(site.templateBytes ?? 0)).map(({ app }) => app));
  return inOrder.map((site) => {
    const zygote = zygotes.has(site.app);
    const wanted = zygote ? wantedParked(site, now) : 0;
    const parked = countUntil(wanted, () => take(site.cloneBytes));
    return { app: site.app, zygote, parked, because: reasonOf(site, { zygote, parked, wanted, pressed }) };
  });
}

const lastGrowth = ({ growth }: TierSite): Millis => growth.at(-1)?.at ?? 0;

const wantsZygote = ({ awake, max, templateBytes }: TierSite): boolean => awake > 0 && max > 1 && templateBytes !== null;

function wantedParked({ growth, awake, max }: TierSite, now: Millis): number {
  const recent = growth.filter(({ at }) => now - at < tierTuning.rememberMs);
  const bursts = recent.map((first) => recent.reduce((sum, { at, count }) => sum + (at >= first.at && at - first.at < tierTuning.burstMs ? count : 0), 0));
  return Math.max(0, Math.min(Math.max(0, ...bursts), tierTuning.parkedAtMost, max - awake));
}

function reasonOf(site: TierSite, { zygote, parked, wanted, pressed }: { zygote: boolean; parked: number; wanted: number; pressed: boolean }): TierBecause {
  if (site.awake === 0) return 'asleep';
  if (!wantsZygote(site)) return 'cannot-be-cloned';
  if (pressed) return 'memory-pressure';
  if (!zygote || parked < wanted) return 'no-room';
  return parked > 0 ? 'grew-lately' : 'awake';
}

function countUntil(most: number, take: () => boolean): number {
  let count = 0;
  while (count < most && take()) count += 1;
  return count;
}
