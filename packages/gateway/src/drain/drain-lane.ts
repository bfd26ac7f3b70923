import type { Lane } from '../site/lane.js';
import type { Site } from '../site/site.js';

export type DrainReply = { kind: 'drained' } | { kind: 'busy'; inFlight: number };

/**
 * Sends an instance nothing more, and waits until nothing of this gateway is in flight to it and no connection to it is
 * open. `busy`: not within the time, or it was called ready again meanwhile.
 */
export async function drainLane(site: Site, { aid, epoch, withinMs }: { aid: string; epoch: number; withinMs: number }): Promise<DrainReply> {
  const lane = site.drain(aid, epoch, performance.now());
  if (lane === undefined) return { kind: 'busy', inFlight: site.lane(aid)?.inFlight ?? 0 };
  await settled(lane, withinMs);
  return lane.quiet && !lane.ready ? { kind: 'drained' } : { kind: 'busy', inFlight: lane.inFlight };
}

/** Quiet, or ready again, or the time is over. Watches before it looks: a change in between would be missed. */
function settled(lane: Lane, withinMs: number): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      stop();
      resolve();
    };
    const look = (): void => {
      if (lane.quiet || lane.ready) done();
    };
    const timer = setTimeout(done, withinMs);
    const stop = lane.watch(look);
    look();
  });
}
