import type { Endpoint } from '@appshot/protocol';
import type { Site } from '../site/site.js';
import type { Waiting } from './waiting.js';

export interface HoldingOptions {
  readonly maxHeld: number;
}

export interface HoldingHooks {
  /** Somebody waits and nothing is ready. */
  wake(site: Site): void;
  heldChanged(site: Site): void;
}

/**
 * Fifth stage: requests and connections that no instance may be given now wait, first come first served, for an instance to become
 * ready or to have one request fewer. Nobody polls: whatever changes that calls `release`.
 */
export class Holding {
  readonly #options: HoldingOptions;
  readonly #hooks: HoldingHooks;
  readonly #timers = new Map<Site, { timer: NodeJS.Timeout; at: number }>();

  constructor(options: HoldingOptions, hooks: HoldingHooks) {
    this.#options = options;
    this.#hooks = hooks;
  }

  /** False when the queue is full. */
  hold(visit: Waiting, now: number): boolean {
    const { site } = visit;
    if (site.held.size >= this.#options.maxHeld) return false;
    visit.heldUntil = now + site.snapshot.holdMs;
    site.held.push(visit);
    this.#enter(visit, now);
    return true;
  }

  /** Back to the front after its instance refused it; it has waited before, so the queue is never too full for it. */
  giveBack(visit: Waiting, now: number): void {
    if (!visit.waited) visit.heldUntil = now + visit.site.snapshot.holdMs;
    visit.site.held.giveBack(visit);
    this.#enter(visit, now);
  }

  /** The visitor gave up. */
  leave(visit: Waiting): void {
    if (visit.site.held.delete(visit)) this.#hooks.heldChanged(visit.site);
  }

  /** Gives instances as many of those who wait as they may have, and has the site woken for the rest. */
  release(site: Site): void {
    while (site.held.size > 0) {
      const lane = site.choose(performance.now());
      if (lane === undefined) break;
      const visit = site.held.shift()!;
      this.#hooks.heldChanged(site);
      visit.send(lane);
    }
    if (!site.waking && site.needsWake(performance.now())) this.#hooks.wake(site);
  }

  /** An instance is on its way back: who is first may send what it has to say. The others follow when it is there. */
  sendAhead(site: Site, endpoint: Endpoint): void {
    for (const first of site.held) return first.sendAhead(endpoint);
  }

  /** Looks again when an instance has rested. */
  releaseIn(site: Site, ms: number): void {
    setTimeout(() => this.release(site), ms).unref();
  }

  /** Everybody who waits for the site, and nobody waits any more. */
  takeAll(site: Site): Waiting[] {
    const all = [...site.held];
    for (const visit of all) site.held.delete(visit);
    if (all.length > 0) this.#hooks.heldChanged(site);
    return all;
  }

  /** Checked, subscribed; checked again, for what happened in between would be missed. */
  #enter(visit: Waiting, now: number): void {
    this.#hooks.heldChanged(visit.site);
    this.#expireBy(visit.site, { at: visit.heldUntil, now });
    this.release(visit.site);
  }

  #expireBy(site: Site, { at, now }: { at: number; now: number }): void {
    const set = this.#timers.get(site);
    if (set !== undefined && set.at <= at) return;
    clearTimeout(set?.timer);
    const timer = setTimeout(() => this.#expire(site), Math.max(1, at - now));
    // It may outlive those it is for; what it finds then is an empty queue.
    timer.unref();
    this.#timers.set(site, { timer, at });
  }

  #expire(site: Site): void {
    this.#timers.delete(site);
    const now = performance.now();
    let next = Infinity;
    for (const visit of [...site.held]) {
      if (visit.heldUntil > now) next = Math.min(next, visit.heldUntil);
      else if (site.held.delete(visit)) visit.refuse({ kind: 'hold-timeout', app: site.app, heldMs: now - visit.heldUntil + site.snapshot.holdMs });
    }
    this.#hooks.heldChanged(site);
    if (next < Infinity) this.#expireBy(site, { at: next, now });
  }
}
