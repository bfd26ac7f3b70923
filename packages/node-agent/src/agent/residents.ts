import type { Aid, AppName, Millis } from '@appshot/protocol';
import type { EngineEvent } from '../engine/engine.js';
import type { AddressPool } from './address-pool.js';
import type { AppLogs } from './app-logs.js';
import type { EndedNotices } from './ended-notices.js';
import type { Zygotes } from './zygotes.js';

export interface ResidentsParts {
  readonly node: string;
  readonly addresses: AddressPool;
  readonly logs: AppLogs;
  readonly ended: EndedNotices;
  readonly zygotes: Zygotes;
}

/** `app` is undefined for an instance that this node never had a card of. */
interface Resident { readonly ip: string; readonly app: AppName | undefined }

/** The instances that run here, and what begins and ends with each: its address's use, its log, its app's zygote, the news of its end. */
export class Residents {
  readonly #parts: ResidentsParts;
  readonly #residents = new Map<Aid, Resident>();
  /** Instances that somebody is ending on purpose, and what the engine said of their end meanwhile. */
  readonly #ending = new Map<Aid, EngineEvent | null>();

  constructor(parts: ResidentsParts) {
    this.#parts = parts;
  }

  get count(): number {
    return this.#residents.size;
  }

  /** Whether an instance of the app runs here. */
  hasApp(app: AppName): boolean {
    return [...this.#residents.values()].some((resident) => resident.app === app);
  }

  started(aid: Aid, resident: Resident): void {
    if (this.#residents.has(aid)) return;
    this.#residents.set(aid, resident);
    this.#parts.addresses.take(resident.ip);
    this.#parts.logs.follow(aid);
  }

  /**
   * The instance is no more, as was wanted.
   * @param keepsAddress it sleeps with connections that go on under its address
   */
  async ended(aid: Aid, keepsAddress = false): Promise<void> {
    const resident = this.#residents.get(aid);
    this.#residents.delete(aid);
    if (resident !== undefined) this.#letGo(resident, keepsAddress);
    await this.#parts.logs.finish(aid);
  }

  #letGo({ ip, app }: Resident, keepsAddress = false): void {
    this.#parts.addresses.end(ip, keepsAddress);
    if (app !== undefined && !this.hasApp(app)) this.#parts.zygotes.release(app);
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
    if (!this.#residents.has(aid)) return;
    void this.ended(aid);
    this.#parts.ended.add({ node: this.#parts.node, aid, at: now, how: howItEnded(event) });
  }
}

const howItEnded = ({ status, signal }: EngineEvent): string =>
  (signal !== null ? `killed by ${signal}` : status !== null ? `exited with status ${status}` : 'ended');
