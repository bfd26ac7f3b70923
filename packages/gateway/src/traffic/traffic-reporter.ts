import { traffic, type Traffic } from '@appshot/protocol';
import type { Bus, Logger } from '@appshot/runtime';
import type { TrafficWatcher } from '../path/ledger.js';
import type { Site } from '../site/site.js';
import { forgetReported, trafficOf } from './traffic-of.js';

export interface ReporterOptions {
  /** This gateway's name. */
  readonly id: string;
  readonly trafficEveryMs: number;
  readonly trafficEdgeEveryMs: number;
  readonly trafficRefreshMs: number;
}

interface Due {
  timer: NodeJS.Timeout | undefined;
  /** When the timer fires; by `performance.now()`. */
  at: number;
  reportedAt: number;
}

/**
 * Tells the farm of each site's traffic: within its period after anything changes, and at once on an edge. A visitor who
 * makes one request after another makes two edges with each: then at once means `trafficEdgeEveryMs` after the last report.
 */
export class TrafficReporter implements TrafficWatcher {
  readonly #bus: Bus;
  readonly #options: ReporterOptions;
  readonly #logger: Logger;
  readonly #due = new Map<Site, Due>();
  readonly #sites: () => Iterable<Site>;
  #refresh: NodeJS.Timeout | undefined;
  #stopStatus: (() => void) | undefined;

  constructor(bus: Bus, options: ReporterOptions, { sites, logger }: { sites: () => Iterable<Site>; logger: Logger }) {
    this.#bus = bus;
    this.#options = options;
    this.#sites = sites;
    this.#logger = logger;
  }

  start(): void {
    this.#refresh = setInterval(() => this.#report((site) => site.inFlight > 0), this.#options.trafficRefreshMs);
    // What was told while NATS was away is lost; a site would seem busy, or idle, until its next visitor.
    this.#stopStatus = this.#bus.onStatus((status) => status === 'connected' && this.#report((site) => site.lastActiveAt > 0));
  }

  changed(site: Site): void {
    const due = this.#dueOf(site);
    if (due.timer === undefined) this.#schedule(site, due, performance.now() + this.#options.trafficEveryMs);
  }

  edge(site: Site): void {
    const due = this.#dueOf(site);
    const at = Math.max(performance.now(), due.reportedAt + this.#options.trafficEdgeEveryMs);
    if (due.timer === undefined || at < due.at) this.#schedule(site, due, at);
  }

  /** Tells what has not been told, and nothing more after it. */
  close(): void {
    clearInterval(this.#refresh);
    this.#stopStatus?.();
    for (const [site, due] of this.#due) if (due.timer !== undefined) this.#tell(site, due);
    for (const due of this.#due.values()) clearTimeout(due.timer);
    this.#due.clear();
  }

  #report(which: (site: Site) => boolean): void {
    for (const site of this.#sites()) if (which(site)) this.#tell(site, this.#dueOf(site));
  }

  #dueOf(site: Site): Due {
    let due = this.#due.get(site);
    if (due === undefined) this.#due.set(site, (due = { timer: undefined, at: 0, reportedAt: -Infinity }));
    return due;
  }

  #schedule(site: Site, due: Due, at: number): void {
    clearTimeout(due.timer);
    due.at = at;
    const waitMs = at - performance.now();
    // Not in this turn of the loop: the request goes first.
    due.timer = setTimeout(() => this.#tell(site, due), Math.max(0, waitMs));
  }

  #tell(site: Site, due: Due): void {
    clearTimeout(due.timer);
    due.timer = undefined;
    const now = performance.now();
    due.reportedAt = now;
    this.#publish(trafficOf(site, { gateway: this.#options.id, at: Date.now(), now }));
    forgetReported(site);
    if (site.removed && site.inFlight === 0) this.#due.delete(site);
  }

  #publish(body: Traffic): void {
    try {
      this.#bus.publish(traffic, body);
    } catch (err) {
      this.#logger.error({ err, app: body.app }, 'traffic could not be told');
    }
  }
}
