import type { Logger } from '@appshot/runtime';
import { Redis } from 'ioredis';

/**
 * The scheduler's own connection to Redis, for leases and habits. BullMQ has others of its own, because they wait without
 * end (`maxRetriesPerRequest: null`); a command here gives up after about five seconds.
 */
export function connectRedis(url: string, logger: Logger): Redis {
  const redis = new Redis(url, { retryStrategy: () => 250, maxRetriesPerRequest: 20, commandTimeout: 10_000, connectionName: 'appshot-scheduler' });
  redis.on('error', (err) => logger.debug({ err }, 'Redis connection'));
  return redis;
}
