import type { Aid, AppName, RoleId } from '@appshot/protocol';

/** An instance that could make room. */
export interface PreemptCandidate {
  readonly aid: Aid;
  readonly app: AppName;
  readonly node: RoleId;
  readonly priority: number;
  readonly memoryBytes: number;
  readonly inFlight: number;
  readonly idleForMs: number;
  /** Awake instances of its app, itself counted, and how many it must keep. */
  readonly siblings: number;
  readonly min: number;
  /** False for one that cannot be saved or is not to sleep (`idleMs: never`). */
  readonly maySleep: boolean;
}

/** What is needed, where, and for whom; `priority` null: for the node itself, which is short of memory. */
export interface PreemptNeed {
  readonly node: RoleId;
  readonly bytes: number;
  readonly app: AppName | null;
  readonly priority: number | null;
}

export type Victim = { readonly aid: Aid; readonly app: AppName; readonly how: 'sleep' | 'retire'; readonly memoryBytes: number };
export type PreemptDecision =
  | { readonly kind: 'preempt'; readonly victims: readonly Victim[]; readonly because: 'less-important-and-idle' | 'clones-of-less-important' }
  | { readonly kind: 'refuse'; readonly because: 'nothing-less-important' | 'not-enough'; readonly shortByBytes: number };

/**
 * Who makes room for a more important app.
 *
 * First what is idle: the least important first, then the longest idle. Never an app that is more important than the one in
 * need, and an equally important one only when nobody is visiting it. Then busy clones of less important apps, one always
 * staying. A site in use is never put to sleep for another: its visitors would wake it at once and the two would take turns.
 */
export function decidePreempt(need: PreemptNeed, candidates: readonly PreemptCandidate[]): PreemptDecision {
  const here = candidates.filter((one) => one.node === need.node && one.app !== need.app && one.memoryBytes > 0);
  const idle = here.filter((one) => one.inFlight === 0 && (need.priority === null || one.priority <= need.priority));
  const busy = here.filter((one) => one.inFlight > 0 && need.priority !== null && one.priority < need.priority);
  const victims: Victim[] = [];
  const awake = new Map(here.map((one) => [one.app, one.siblings]));
  let missing = need.bytes;

  for (const one of [...idle.toSorted(lessImportantFirst), ...busy.toSorted(lessImportantFirst)]) {
    if (missing <= 0) break;
    const how = wayToGo(one, awake.get(one.app) ?? 1);
    if (how === null) continue;
    victims.push({ aid: one.aid, app: one.app, how, memoryBytes: one.memoryBytes });
    awake.set(one.app, (awake.get(one.app) ?? 1) - 1);
    missing -= one.memoryBytes;
  }
  if (victims.length === 0) return { kind: 'refuse', because: 'nothing-less-important', shortByBytes: missing };
  if (missing > 0) return { kind: 'refuse', because: 'not-enough', shortByBytes: missing };
  const kept = withoutSpare(victims, need.bytes);
  const usesBusy = kept.some((victim) => busy.some((one) => one.aid === victim.aid));
  return { kind: 'preempt', victims: kept, because: usesBusy ? 'clones-of-less-important' : 'less-important-and-idle' };
}

/** A clone among others is retired; the last one of an app sleeps, if it may and nobody is using it. */
function wayToGo(one: PreemptCandidate, awake: number): 'sleep' | 'retire' | null {
  if (awake <= one.min) return null;
  if (awake > 1) return 'retire';
  return one.maySleep && one.inFlight === 0 ? 'sleep' : null;
}

const lessImportantFirst = (a: PreemptCandidate, b: PreemptCandidate): number =>
  a.priority - b.priority || b.idleForMs - a.idleForMs || (a.aid > b.aid ? -1 : 1);

/** Leaves out who is not needed after a bigger one was added; the more important are spared first. */
function withoutSpare(victims: readonly Victim[], bytes: number): Victim[] {
  let freed = victims.reduce((sum, victim) => sum + victim.memoryBytes, 0);
  const apps = (app: AppName, from: readonly Victim[]): number => from.filter((victim) => victim.app === app).length;
  let kept = [...victims];
  for (const victim of victims.toReversed()) {
    if (freed - victim.memoryBytes < bytes) continue;
    // Of two of one app the later one was counted on the earlier one's going: only a lone one can be left out.
    if (apps(victim.app, kept) > 1) continue;
    kept = kept.filter((one) => one !== victim);
    freed -= victim.memoryBytes;
  }
  return kept;
}
