import type { Site } from '../site/site.js';

/** Told when a site's numbers change, so that they can be reported. */
export interface TrafficWatcher {
  /** Something changed; a report may follow within its period. */
  changed(site: Site): void;
  /** Somebody decides by this: it is to be told at once. */
  edge(site: Site): void;
}

/** Counts requests from arrival to last byte: what a site is busy or idle by. */
export class Ledger {
  readonly #watcher: TrafficWatcher;

  constructor(watcher: TrafficWatcher) {
    this.#watcher = watcher;
  }

  arrived(site: Site, now: number): void {
    site.arrived += 1;
    site.lastActiveAt = now;
    site.inFlight += 1;
    if (site.inFlight === 1) this.#watcher.edge(site);
    else this.#watcher.changed(site);
  }

  left(site: Site, now: number): void {
    site.lastActiveAt = now;
    site.inFlight -= 1;
    if (site.inFlight === 0) this.#watcher.edge(site);
    else this.#watcher.changed(site);
  }

  heldChanged(site: Site): void {
    // From none to one is what a scheduler acts on.
    if (site.held.size === 1) this.#watcher.edge(site);
    else this.#watcher.changed(site);
  }

  changed(site: Site): void {
    this.#watcher.changed(site);
  }

  edge(site: Site): void {
    this.#watcher.edge(site);
  }
}
