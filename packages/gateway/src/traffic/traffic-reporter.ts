import { traffic, type Traffic } from '@appshot/protocol';
import type { Bus, Logger } from '@appshot/runtime';
import type { TrafficWatcher } from '../path/ledger.js';
import type { Site } from '../site/site.js';
import { forgetReported, trafficOf } from './traffic-of.js';

export interface ReporterOptions {
  /** This gateway's name. */
  readonly id: string;
  readonly trafficEveryMs: number;
  readonly trafficEdgeAfterMs: number;
  readonly trafficEdgeEveryMs: number;
  readonly trafficRefreshMs: number;
}

/**
 * Tells the farm of each site's traffic: within its period after anything changes, and soon after an edge, when the visitor who has made it
 * is most likely answered. One who makes one request after another makes two edges with each: `trafficEdgeEveryMs` lie between reports.
 */
export class TrafficReporter implements TrafficWatcher {
  readonly #bus: Bus;
  readonly #options: ReporterOptions;
  readonly #logger: Logger;
  readonly #sites: () => Iterable<Site>;
  #refresh: NodeJS.Timeout | undefined;
  /** By `performance.now()`. */
  #repeatUntil = 0;
  #stopStatus: (() => void) | undefined;

  constructor(bus: Bus, options: ReporterOptions, { sites, logger }: { sites: () => Iterable<Site>; logger: Logger }) {
    this.#bus = bus;
    this.#options = options;
    this.#sites = sites;
    this.#logger = logger;
  }

  start(): void {
    const { trafficRefreshMs } = this.#options;
    this.#refresh = setInterval(() => this.#report((site) => site.inFlight > 0 || this.#repeats(site)), trafficRefreshMs);
    // What was told while NATS was away is lost: a site would seem busy, or idle, until its next visitor. Told more than
    // once, for those who listen may be back later than this gateway.
    this.#stopStatus = this.#bus.onStatus((status) => {
      if (status !== 'connected') return;
      this.#repeatUntil = performance.now() + 5 * trafficRefreshMs;
      this.#report((site) => this.#repeats(site));
    });
  }

  changed(site: Site): void {
    if (site.report.timer === undefined) this.#schedule(site, performance.now() + this.#options.trafficEveryMs);
  }

  edge(site: Site): void {
    const { report } = site;
    const { trafficEdgeAfterMs, trafficEdgeEveryMs } = this.#options;
    // Of a site with nothing ready the wake that is about to be asked for says all that matters, and would wait for this.
    const afterMs = site.snapshot.ready.length === 0 ? trafficEdgeEveryMs : trafficEdgeAfterMs;
    const at = Math.max(performance.now() + afterMs, report.reportedAt + trafficEdgeEveryMs);
    // What is due before is not put off: it tells of this edge, too.
    if (report.timer === undefined || report.at > at) this.#schedule(site, at);
  }

  /** Tells what has not been told. */
  close(): void {
    clearInterval(this.#refresh);
    this.#stopStatus?.();
    this.#report((site) => site.isReportDue);
  }

  #repeats(site: Site): boolean {
    return site.lastActiveAt > 0 && performance.now() < this.#repeatUntil;
  }

  #report(which: (site: Site) => boolean): void {
    for (const site of this.#sites()) if (which(site)) this.#tell(site);
  }

  #schedule(site: Site, at: number): void {
    const { report } = site;
    clearTimeout(report.timer);
    report.at = at;
    report.timer = setTimeout(() => this.#tell(site), Math.max(0, at - performance.now()));
  }

  #tell(site: Site): void {
    clearTimeout(site.report.timer);
    site.report.timer = undefined;
    const now = performance.now();
    site.report.reportedAt = now;
    this.#publish(trafficOf(site, { gateway: this.#options.id, at: Date.now(), now }));
    forgetReported(site);
  }

  #publish(body: Traffic): void {
    try {
      this.#bus.publish(traffic, body);
    } catch (err) {
      this.#logger.error({ err, app: body.app }, 'traffic could not be told');
    }
  }
}
