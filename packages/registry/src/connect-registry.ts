import { FarmError, type Logger, waitUntil } from '@appshot/runtime';
import { Redis, type RedisOptions } from 'ioredis';
import { RedisDoor } from './redis-door.js';
import { Registry } from './registry.js';

export interface ConnectRegistryOptions {
  /** `redis://[user:password@]host:port[/db]` */
  url: string;
  logger: Logger;
  /** Milliseconds to wait for Redis at the start; later, each command waits for itself. */
  withinMs?: number;
}

const retryMs = 250;

/**
 * A command waits about 20 s for a Redis that is away, then fails with `unavailable`. One that Redis took and does not
 * answer fails after 25 s; it may still be done later.
 */
const options = {
  lazyConnect: true,
  retryStrategy: () => retryMs,
  maxRetriesPerRequest: 20_000 / retryMs,
  commandTimeout: 25_000,
  connectTimeout: 5_000,
  socketTimeout: 15_000,
  connectionName: 'appshot-registry',
} satisfies RedisOptions;

/** @throws FarmError `unavailable` when Redis cannot be reached in time. */
export async function connectRegistry({ url, logger, withinMs = 10_000 }: ConnectRegistryOptions): Promise<Registry> {
  const redis = new Redis(url, options);
  redis.on('error', (err) => logger.debug({ err }, 'Redis connection'));
  redis.connect().catch(() => undefined);
  try {
    await waitUntil(() => redis.status === 'ready', { withinMs, what: 'Redis' });
  } catch (cause) {
    redis.disconnect();
    throw new FarmError('unavailable', `Redis at ${redis.options.host}:${redis.options.port} cannot be reached`, { cause });
  }
  const door = new RedisDoor(redis, logger);
  door.start();
  return new Registry(door);
}
