import { performance } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

export interface TidyOptions {
  /** How often it is looked, milliseconds. */
  readonly everyMs?: number;
  /** Share of the time since the last look in which an idle role does anything. */
  readonly idleShare?: number;
  /** What has to have gathered to be worth some 30 ms, in which a visitor would have to wait; bytes. */
  readonly worthBytes?: number;
}

/**
 * Has V8 give back what it holds and does not need, in a moment in which the role has nothing to do. By itself it collects its old space
 * when that has grown by a part, and leaves gaps: a farm that has done much held megabytes for each role that one at rest does not need
 * (ADR 0221).
 * @returns how to stop
 */
export function tidyWhenIdle({ everyMs = 5_000, idleShare = 0.05, worthBytes = 2e6 }: TidyOptions = {}): () => void {
  const collect = collector();
  let before = performance.eventLoopUtilization();
  let leftBytes = 0;
  const timer = setInterval(() => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, before);
    before = now;
    if (utilization > idleShare || oldBytes() - leftBytes < worthBytes) return;
    collect();
    leftBytes = oldBytes();
    // Its own time is not the role's.
    before = performance.eventLoopUtilization();
  }, everyMs);
  timer.unref();
  return () => clearInterval(timer);
}

/** A function that collects all garbage and closes the gaps that it leaves, by which pages of it could not be given back. */
function collector(): () => void {
  // V8 shows it to contexts that are made while the flag is set.
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  setFlagsFromString('--no-expose-gc');
  return () => {
    setFlagsFromString('--compact-on-every-full-gc');
    collect();
    setFlagsFromString('--no-compact-on-every-full-gc');
  };
}

/** Bytes of V8's heap but for the young generation, which comes and goes. */
function oldBytes(): number {
  return getHeapSpaceStatistics().reduce((sum, { space_name: name, space_used_size: used }) => (name.startsWith('new_') ? sum : sum + used), 0);
}
