import type { RoleId, Traffic } from '@appshot/protocol';
import type { Site } from '../site/site.js';

/** What is told of a site: everything since the last report. */
export function trafficOf(site: Site, { gateway, at, now }: { gateway: RoleId; at: number; now: number }): Traffic {
  return {
    gateway,
    at,
    app: site.app,
    inFlight: site.inFlight,
    held: site.held.size,
    arrived: site.arrived,
    // The site counts by a clock that nobody sets; the farm by the time of day.
    lastActiveAt: Math.max(0, at - (now - site.lastActiveAt)),
    instances: [...site.lanes()].filter((lane) => lane.ready || lane.inFlight + lane.finished + lane.failed > 0).map((lane) => ({
      aid: lane.aid,
      inFlight: lane.inFlight,
      finished: lane.finished,
      failed: lane.failed,
      p50Ms: lane.times.quantile(0.5),
      p95Ms: lane.times.quantile(0.95),
    })),
  };
}

/** The next report begins here. */
export function forgetReported(site: Site): void {
  site.arrived = 0;
  for (const lane of site.lanes()) {
    lane.finished = 0;
    lane.failed = 0;
    lane.times.reset();
  }
}
