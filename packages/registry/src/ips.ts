import { FarmError } from '@appshot/runtime';
import { addressesAfter, addressRange } from './cidr.js';
import { keys } from './keys.js';
import { newOperation, operationMemoryMs, type RedisDoor } from './redis-door.js';

export interface IpPool {
  /** IPv4 range, like 10.80.0.0/16. */
  cidr: string;
  /** Milliseconds that a released address is not given again. */
  restMs: number;
}

/** Candidates offered to Redis at once. */
const batch = 256;

/**
 * Leases of farm addresses to nodes. No address is given twice, also when Redis comes back without its last writes:
 * what this process leased, it claims again at each reconnect, before it leases anything else.
 */
export class Ips {
  readonly #door: RedisDoor;
  /** What this process has leased or claimed: address -> node. */
  readonly #held = new Map<string, string>();
  #reclaimed: Promise<void> = Promise.resolve();

  constructor(door: RedisDoor) {
    this.#door = door;
    door.onReconnected(() => {
      this.#reclaimed = this.#reclaim();
    });
  }

  /** Sets the pool for the whole farm; leases outside it stay until they are released. @throws FarmError `bad-request` */
  async configure({ cidr, restMs }: IpPool): Promise<void> {
    addressRange(cidr);
    await this.#door.do('ips.configure', (redis) => redis.hset(keys.ipPool, { cidr, restMs }));
  }

  /** `count` addresses for a node, or none. @throws FarmError `no-address` */
  async lease(node: string, count: number): Promise<string[]> {
    await this.#reclaimed;
    const { cidr, cursor } = await this.#pool();
    const leased: string[] = [];
    const candidates = addressesAfter(addressRange(cidr), cursor);
    for (let offered = take(candidates, batch); leased.length < count && offered.length > 0; offered = take(candidates, batch)) {
      const got = await this.#leaseOf(offered, node, count - leased.length);
      // A Redis that lost its last writes may give what this process still holds.
      leased.push(...got.filter((ip) => !this.#held.has(ip)));
    }
    for (const ip of leased) this.#held.set(ip, node);
    if (leased.length === count) return leased;
    await this.release(leased);
    throw new FarmError('no-address', `the pool ${cidr} has no ${count} free addresses; ${leased.length} are free now`, { facts: { cidr, wanted: count, free: leased.length } });
  }

  async #leaseOf(candidates: string[], node: string, count: number): Promise<string[]> {
    const names = [keys.ipLeases, keys.ipResting, keys.ipCursor, keys.operation(newOperation())];
    const leased = (await this.#door.script('lease-addresses', names, [node, count, operationMemoryMs, ...candidates])) as string;
    return leased === '' ? [] : leased.split(' ');
  }

  async #pool(): Promise<{ cidr: string; cursor: string | undefined }> {
    const [cidr, cursor] = await this.#door.do('ips.lease', (redis) => Promise.all([redis.hget(keys.ipPool, 'cidr'), redis.get(keys.ipCursor)]));
    if (cidr === null) throw new FarmError('no-address', 'the address pool is not configured');
    return { cidr, cursor: cursor ?? undefined };
  }

  /** Gives addresses back; each rests before it is given again. Unknown ones are passed over. */
  async release(ips: readonly string[]): Promise<void> {
    if (ips.length === 0) return;
    // First forget, then send: a reconnect in between would claim again what is being released.
    for (const ip of ips) this.#held.delete(ip);
    const names = [keys.ipLeases, keys.ipResting, keys.ipPool, keys.operation(newOperation())];
    await this.#door.script('release-addresses', names, [operationMemoryMs, ...ips]);
  }

  /**
   * Says that a node holds these addresses: an agent that adopts instances calls it before it leases.
   * Returns those that another node has; they must not be used.
   */
  async claim(node: string, ips: readonly string[]): Promise<string[]> {
    if (ips.length === 0) return [];
    const refused = (await this.#door.script('claim-addresses', [keys.ipLeases, keys.ipResting], [node, ...ips])) as string[];
    for (const ip of ips) if (!refused.includes(ip)) this.#held.set(ip, node);
    return refused;
  }

  async heldBy(node: string): Promise<string[]> {
    const leases = await this.#door.do('ips.heldBy', (redis) => redis.hgetall(keys.ipLeases));
    return Object.keys(leases).filter((ip) => leases[ip] === node);
  }

  async #reclaim(): Promise<void> {
    const held = [...this.#held];
    for (const node of new Set(this.#held.values())) {
      try {
        const refused = await this.claim(node, held.flatMap(([ip, holder]) => (holder === node ? [ip] : [])));
        if (refused.length > 0) this.#door.logger.error({ node, ips: refused }, 'addresses were given to another node while Redis had lost their leases');
      } catch (err) {
        // The next reconnect tries again.
        this.#door.logger.warn({ err, node }, 'leases could not be claimed again');
      }
    }
  }
}

function take(source: Iterator<string>, count: number): string[] {
  const taken: string[] = [];
  while (taken.length < count) {
    const next = source.next();
    if (next.done) break;
    taken.push(next.value);
  }
  return taken;
}
