import { keys } from './keys.js';
import type { RedisDoor } from './redis-door.js';

/**
 * Milliseconds after its last heartbeat in which a gateway counts as live. Heartbeats come every second; a gateway, or the registry, that gets no
 * processor for some seconds must not count as dead, since instances are then put to sleep with its requests in flight. One that has died keeps
 * instances from sleeping and shrinking for so long.
 */
export const gatewayLiveMs = 10_000;
const forgottenMs = 60_000;

export class Gateways {
  readonly #door: RedisDoor;

  constructor(door: RedisDoor) {
    this.#door = door;
  }

  /** The gateway is alive; at most every second. */
  async heartbeat(id: string, now: number): Promise<void> {
    await this.#door.do('gateways.heartbeat', (redis) => Promise.all([redis.zadd(keys.gateways, now, id), redis.zremrangebyscore(keys.gateways, '-inf', now - forgottenMs)]));
  }

  /** The gateway ends: nobody need wait for its drains any more. */
  async leave(id: string): Promise<void> {
    await this.#door.do('gateways.leave', (redis) => redis.zrem(keys.gateways, id));
  }

  /** Ids of the gateways that are live, sorted. */
  async live(now: number): Promise<string[]> {
    const ids = await this.#door.do('gateways.live', (redis) => redis.zrangebyscore(keys.gateways, now - gatewayLiveMs, '+inf'));
    return ids.sort();
  }
}
