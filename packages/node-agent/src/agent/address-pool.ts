import type { Registry } from '@appshot/registry';
import { FarmError, type Logger } from '@appshot/runtime';
import type { Engine } from '../engine/engine.js';

export interface AddressPoolParts {
  readonly node: string;
  readonly registry: Pick<Registry, 'ips'>;
  readonly engine: Pick<Engine, 'configure'>;
  readonly logger: Logger;
  /** Addresses leased beyond those in use. */
  readonly spare: number;
  /** Pods that the engine keeps ready. */
  readonly podsReady: number;
}

const retryMs = 1_000;
/** Starts in a row are answered first; the engine is told of the addresses that they took once. */
const pauseMs = 100;

/**
 * Leases addresses from the registry before they are needed and hands them to the engine. An address that an instance took
 * is withdrawn from the engine's list, so that once the instance ends nothing here can use it again, and it can go back to
 * the registry, where it rests.
 */
export class AddressPool {
  readonly #parts: AddressPoolParts;
  readonly #free = new Set<string>();
  readonly #inUse = new Set<string>();
  /** In use, and no more in the engine's list. */
  readonly #withdrawn = new Set<string>();
  readonly #toRelease = new Set<string>();
  /** The engine knows what the registry knows of this node. */
  #told = false;
  #syncing: Promise<void> | null = null;
  #again = false;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(parts: AddressPoolParts) {
    this.#parts = parts;
  }

  /** `running`: addresses of the instances that run already. */
  async start(running: readonly string[]): Promise<void> {
    const { node, registry, logger } = this.#parts;
    const held = new Set([...await registry.ips.heldBy(node), ...running]);
    // Also what Redis has forgotten: nobody else may be given the address of an instance that runs.
    const refused = await registry.ips.claim(node, [...held]);
    if (refused.length > 0) logger.error({ ips: refused }, 'instances run here with addresses that were given to another node');
    for (const ip of running) this.#inUse.add(ip);
    for (const ip of held) if (!this.#inUse.has(ip) && !refused.includes(ip)) this.#free.add(ip);
    await this.#syncNow();
  }

  /** An instance runs with this address. */
  take(ip: string): void {
    this.#free.delete(ip);
    this.#inUse.add(ip);
    this.#syncSoon();
  }

  /**
   * The instance with this address is no more.
   * @param stays it sleeps and may come back under it: the engine keeps the address for it, and this node its lease
   */
  end(ip: string, stays = false): void {
    if (!this.#inUse.delete(ip)) return;
    // Not withdrawn yet: the engine may have made it another pod's address already, so it stays with this node.
    const wasWithdrawn = this.#withdrawn.delete(ip);
    (wasWithdrawn && !stays ? this.#toRelease : this.#free).add(ip);
    this.#syncSoon();
  }

  /** Lets the addresses go that nobody uses; for an agent that ends with nothing running. */
  async close(releaseAll: boolean): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#syncing;
    if (!releaseAll) return;
    await this.#parts.engine.configure({ addresses: [], podsReady: 0 });
    const all = [...this.#free, ...this.#toRelease];
    if (all.length > 0) await this.#parts.registry.ips.release(all);
  }

  #syncSoon(inMs = pauseMs): void {
    this.#again = true;
    if (this.#syncing === null && !this.#closed) this.#timer ??= setTimeout(() => void this.#syncNow(), inMs);
  }

  async #syncNow(): Promise<void> {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#again = false;
    let failed = false;
    this.#syncing = this.#sync().catch((err: unknown) => {
      this.#parts.logger.warn({ err }, 'addresses could not be leased or handed to the engine; trying again');
      failed = true;
    });
    await this.#syncing;
    this.#syncing = null;
    if (failed || this.#again) this.#syncSoon(failed ? retryMs : pauseMs);
  }

  async #sync(): Promise<void> {
    const { engine, node, registry, podsReady } = this.#parts;
    await this.#fill();
    const withdrawing = [...this.#inUse];
    await engine.configure({ addresses: [...this.#free], podsReady, node, noOthers: !this.#told });
    this.#told = true;
    for (const ip of withdrawing) if (this.#inUse.has(ip)) this.#withdrawn.add(ip);
    const releasing = [...this.#toRelease];
    if (releasing.length === 0) return;
    await registry.ips.release(releasing);
    for (const ip of releasing) this.#toRelease.delete(ip);
  }

  async #fill(): Promise<void> {
    const { node, registry, logger, spare } = this.#parts;
    const short = spare - this.#free.size;
    // In batches: one call for each clone would be as many as there are clones.
    if (short <= 0 || (short < spare / 4 && this.#free.size > 0)) return;
    try {
      for (const ip of await registry.ips.lease(node, short)) this.#free.add(ip);
    } catch (error) {
      if (FarmError.from(error).code !== 'no-address') throw error;
      logger.warn({ free: this.#free.size, inUse: this.#inUse.size }, 'the farm has no more addresses to lease');
    }
  }
}
