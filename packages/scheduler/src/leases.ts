import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import { redisKeys } from './redis-keys.js';

const releaseLua = readFileSync(new URL('../lua/release-lease.lua', import.meta.url), 'utf8');

export type Held<T> = { readonly kind: 'held'; readonly value: T } | { readonly kind: 'taken' };

/**
 * Short leases, so that two schedulers do not decide the same thing at once.
 *
 * A lease only saves work: what is done under it is claimed again in the registry (a guarded transition, a new AID), so a
 * holder that was paused beyond its time does no harm but a clone too many.
 */
export class Leases {
  readonly #redis: Redis;
  readonly #waiting = new Map<string, Promise<unknown>>();

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  /** Runs `work` while nobody else in the farm runs under this name; `taken` when somebody does. */
  async hold<T>(name: string, work: () => Promise<T>, forMs = 10_000): Promise<Held<T>> {
    const key = redisKeys.lease(name);
    const token = randomBytes(9).toString('base64url');
    if (await this.#redis.set(key, token, 'PX', forMs, 'NX') !== 'OK') return { kind: 'taken' };
    try {
      return { kind: 'held', value: await work() };
    } finally {
      // Not worth failing for: it runs out by itself.
      await this.#redis.eval(releaseLua, 1, key, token).catch(() => undefined);
    }
  }

  /** Like `hold`, for work of any length: waits its turn, and renews the lease while it runs. */
  async holdLong<T>(name: string, work: () => Promise<T>, waitMs: number): Promise<Held<T>> {
    const before = this.#waiting.get(name) ?? Promise.resolve();
    const mine = before.then(() => this.#takeAndRenew(name, work, waitMs));
    const settled = mine.catch(() => undefined);
    this.#waiting.set(name, settled);
    void settled.then(() => { if (this.#waiting.get(name) === settled) this.#waiting.delete(name); });
    return mine;
  }

  async #takeAndRenew<T>(name: string, work: () => Promise<T>, waitMs: number): Promise<Held<T>> {
    const forMs = 10_000;
    const deadline = performance.now() + waitMs;
    for (;;) {
      const held = await this.hold(name, async () => {
        const renewal = setInterval(() => void this.#redis.pexpire(redisKeys.lease(name), forMs).catch(() => undefined), forMs / 3);
        try {
          return await work();
        } finally {
          clearInterval(renewal);
        }
      }, forMs);
      if (held.kind === 'held' || performance.now() > deadline) return held;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Whether anybody holds it. */
  async isHeld(name: string): Promise<boolean> {
    return (await this.#redis.exists(redisKeys.lease(name))) === 1;
  }
}
