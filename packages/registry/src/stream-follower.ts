import type { Redis } from 'ioredis';

export interface StreamEntry {
  id: string;
  fields: Record<string, string>;
}

/** Milliseconds that one read waits in Redis. Less than the socket's own limit, so that a dead connection is noticed. */
const blockMs = 5_000;

/**
 * Waits for entries of a stream on a connection of its own, for a blocked connection can do nothing else.
 * Every loss of the connection is told, never papered over: Redis may have come back as another.
 */
export class StreamFollower {
  readonly #redis: Redis;
  readonly #key: string;

  constructor(redis: Redis, key: string) {
    this.#redis = redis.duplicate({ lazyConnect: true, maxRetriesPerRequest: 0, autoResendUnfulfilledCommands: false, commandTimeout: 3 * blockMs, connectionName: 'appshot-follower' });
    this.#key = key;
  }

  start(onError: (error: Error) => void): void {
    this.#redis.on('error', onError);
    this.#redis.connect().catch(() => undefined);
  }

  /** The entries after `id` as soon as there is one; none after five quiet seconds. @throws when the connection was lost */
  async read(id: string): Promise<StreamEntry[]> {
    const reply = await this.#redis.xread('COUNT', 1_000, 'BLOCK', blockMs, 'STREAMS', this.#key, id);
    return reply?.[0]?.[1].map(([entry, flat]) => ({ id: entry, fields: fieldsOf(flat) })) ?? [];
  }

  close(): void {
    this.#redis.disconnect();
  }
}

export function fieldsOf(flat: readonly string[]): Record<string, string> {
  const fields: Record<string, string> = {};
  for (let i = 0; i + 1 < flat.length; i += 2) fields[flat[i]!] = flat[i + 1]!;
  return fields;
}
