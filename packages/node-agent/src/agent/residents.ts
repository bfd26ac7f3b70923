import type { Aid, Millis } from '@appshot/protocol';
import type { EngineEvent } from '../engine/engine.js';
import type { AddressPool } from './address-pool.js';
import type { AppLogs } from './app-logs.js';
import type { EndedNotices } from './ended-notices.js';

export interface ResidentsParts {
  readonly node: string;
  readonly addresses: AddressPool;
  readonly logs: AppLogs;
  readonly ended: EndedNotices;
}

/** The instances that run here, and what begins and ends with each: its address's use, its log, the news of its end. */
export class Residents {
  readonly #parts: ResidentsParts;
  readonly #addresses = new Map<Aid, string>();
  /** Instances that somebody is ending on purpose, and what the engine said of their end meanwhile. */
  readonly #ending = new Map<Aid, EngineEvent | null>();

  constructor(parts: ResidentsParts) {
    this.#parts = parts;
  }

  get count(): number {
    return this.#addresses.size;
  }

  started(aid: Aid, ip: string): void {
    if (this.#addresses.has(aid)) return;
    this.#addresses.set(aid, ip);
    this.#parts.addresses.take(ip);
    this.#parts.logs.follow(aid);
  }

  /** The instance is no more, as was wanted. */
  async ended(aid: Aid): Promise<void> {
    const ip = this.#addresses.get(aid);
    this.#addresses.delete(aid);
    if (ip !== undefined) this.#parts.addresses.end(ip);
    await this.#parts.logs.finish(aid);
  }

  /**
   * Runs what is meant to end an instance. That the engine then says it ended is no news;
   * when the work fails and the instance ended all the same, it is.
   */
  async ending<T>(aid: Aid, work: () => Promise<T>): Promise<T> {
    this.#ending.set(aid, this.#ending.get(aid) ?? null);
    try {
      const result = await work();
      this.#ending.delete(aid);
      return result;
    } catch (error) {
      const event = this.#ending.get(aid);
      this.#ending.delete(aid);
      if (event) this.heard(event, Date.now());
      throw error;
    }
  }

  heard(event: EngineEvent, now: Millis): void {
    const aid = event.aid;
    if (this.#ending.has(aid)) {
      this.#ending.set(aid, event);
      return;
    }
    if (!this.#addresses.has(aid)) return;
    void this.ended(aid);
    this.#parts.ended.add({ node: this.#parts.node, aid, at: now, how: howItEnded(event) });
  }
}

const howItEnded = ({ status, signal }: EngineEvent): string =>
  (signal !== null ? `killed by ${signal}` : status !== null ? `exited with status ${status}` : 'ended');
