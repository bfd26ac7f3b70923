import { createServer, type Server } from 'node:net';
import type { BlockedPort } from '@appshot/protocol';
import { type Logger, portOwner, tryListen } from '@appshot/runtime';
import type { Holding } from '../path/holding.js';
import type { Ledger } from '../path/ledger.js';
import type { Lane } from '../site/lane.js';
import type { Site } from '../site/site.js';
import { type Exposed, Passage, type PassageOwner } from './passage.js';

export interface FarmPortsOptions {
  /** Address on which farm ports are opened. */
  readonly host: string;
  readonly maxConnections: number;
  readonly connectWithinMs: number;
  readonly refusedForMs: number;
  readonly refusedPauseMs: number;
  readonly refusedPauseMaxMs: number;
  readonly stopWithinMs: number;
}

export interface FarmPortsParts {
  readonly options: FarmPortsOptions;
  readonly holding: Holding;
  readonly ledger: Ledger;
  readonly logger: Logger;
  /** A port could not be opened for some time, or was opened after all (`owner` null and `isOpen`). */
  readonly onChange: (app: string, port: BlockedPort, isOpen: boolean) => void;
}

/** A port that somebody else has is tried again after this; another gateway of this machine may be about to end. */
const retryMs = 500;
/** Somebody is told after as many tries: 2 s. */
const toldAfterTries = 5;

interface Front { readonly site: Site; exposed: Exposed; readonly server: Server; retry: NodeJS.Timeout | undefined; failed: number }

/** The farm's ports in front of apps' TCP ports: opened and closed as the routes say. */
export class FarmPorts implements PassageOwner {
  readonly #parts: FarmPortsParts;
  readonly #fronts = new Map<number, Front>();
  readonly #passages = new Set<Passage>();
  #closing = false;

  constructor(parts: FarmPortsParts) {
    this.#parts = parts;
  }

  get connectWithinMs(): number {
    return this.#parts.options.connectWithinMs;
  }

  /** Connections that are open or wait, of one app. */
  openOf(site: Site): number {
    let open = 0;
    for (const passage of this.#passages) if (passage.site === site) open += 1;
    return open;
  }

  /** What the app exposes now; connections that are open stay as they are. */
  set(site: Site, exposed: readonly Exposed[]): void {
    const wanted = new Map(exposed.map((one) => [one.farmPort, one]));
    for (const [farmPort, front] of this.#fronts) {
      if (front.site === site && !wanted.has(farmPort)) this.#shut(farmPort, front);
    }
    for (const one of exposed) {
      const front = this.#fronts.get(one.farmPort);
      if (front?.site === site) front.exposed = one;
      else this.#open(site, one);
    }
  }

  /** Those of `farmPorts` that are not open here and cannot be opened. */
  async blockedOf(farmPorts: readonly number[]): Promise<BlockedPort[]> {
    const { host } = this.#parts.options;
    const looks = farmPorts.map(async (farmPort) => {
      if (this.#fronts.get(farmPort)?.server.listening === true || (await tryListen(host, farmPort)) === null) return [];
      // Opened here while it was tried.
      if (this.#fronts.get(farmPort)?.server.listening === true) return [];
      return [{ farmPort, owner: portOwner(farmPort) }];
    });
    return (await Promise.all(looks)).flat();
  }

  /** Lets nobody in any more; connections that are open may go on for `stopWithinMs`. */
  async close(): Promise<void> {
    this.#closing = true;
    for (const [farmPort, front] of this.#fronts) this.#shut(farmPort, front);
    const cut = setTimeout(() => { for (const passage of this.#passages) passage.cut(); }, this.#parts.options.stopWithinMs);
    while (this.#passages.size > 0) await new Promise<void>((resolve) => (this.#onLeft = resolve));
    clearTimeout(cut);
  }
  #onLeft: (() => void) | undefined;

  // ---- of a connection ----------------------------------------------------------------------------------------------

  refused(passage: Passage, lane: Lane): void {
    const { holding, options } = this.#parts;
    const now = performance.now();
    const forMs = lane.refusingForMs(now);
    holding.releaseIn(passage.site, lane.rest(now, options));
    if (forMs > options.refusedForMs) passage.refuse({ kind: 'upstream-failed', app: passage.site.app, because: 'it accepts no connection' });
    else holding.giveBack(passage, now);
  }

  freed(site: Site): void {
    if (site.held.size > 0) queueMicrotask(() => this.#parts.holding.release(site));
  }

  left(passage: Passage): void {
    this.#passages.delete(passage);
    this.#parts.holding.leave(passage);
    this.#parts.ledger.left(passage.site, performance.now());
    this.#onLeft?.();
  }

  // ---- of a port ----------------------------------------------------------------------------------------------------

  #open(site: Site, exposed: Exposed): void {
    if (this.#closing || site.removed) return;
    const { host, maxConnections } = this.#parts.options;
    const { farmPort } = exposed;
    const before = this.#fronts.get(farmPort);
    if (before !== undefined) this.#shut(farmPort, before);
    const server = createServer({ allowHalfOpen: true });
    const front: Front = { site, exposed, server, retry: undefined, failed: 0 };
    server.maxConnections = maxConnections;
    server.on('connection', (visitor) => this.#enter(new Passage(this, visitor, { site, exposed: front.exposed })));
    server.on('error', (err) => {
      if (front.failed === 0) this.#parts.logger.warn({ err, app: site.app, farmPort }, 'a farm port cannot be opened; trying again');
      if (++front.failed === toldAfterTries) this.#parts.onChange(site.app, { farmPort, owner: portOwner(farmPort) }, false);
      front.retry = setTimeout(() => server.listen(farmPort, host), retryMs);
    });
    server.on('listening', () => {
      if (front.failed >= toldAfterTries) this.#parts.onChange(site.app, { farmPort, owner: null }, true);
      front.failed = 0;
    });
    this.#fronts.set(farmPort, front);
    server.listen(farmPort, host);
  }

  #shut(farmPort: number, front: Front): void {
    clearTimeout(front.retry);
    front.server.removeAllListeners('error').on('error', () => undefined);
    front.server.close();
    this.#fronts.delete(farmPort);
  }

  #enter(passage: Passage): void {
    const { holding, ledger } = this.#parts;
    const { site } = passage;
    const now = performance.now();
    this.#passages.add(passage);
    ledger.arrived(site, now);
    const lane = site.held.size === 0 ? site.choose(now) : undefined;
    if (lane !== undefined) passage.send(lane);
    else if (!holding.hold(passage, now)) passage.refuse({ kind: 'queue-full', app: site.app, held: site.held.size });
  }
}
