import { createLogger } from '@appshot/runtime';
import { startRedis, type StartRedisOptions, type TestServer } from '@appshot/runtime/testing';
import type { ExecutionContext } from 'ava';
import { Redis } from 'ioredis';
import { connectRegistry, type Registry } from '../../src/index.js';

export const logger = createLogger('test');

/** A registry on a Redis of the test's own; both end with the test. */
export async function registryOf(t: ExecutionContext, options?: StartRedisOptions): Promise<{ redis: TestServer; registry: Registry; another: () => Promise<Registry>; raw: Redis }> {
  const redis = await startRedis(options);
  const raw = new Redis(redis.url, { retryStrategy: () => 50 });
  raw.on('error', () => undefined);
  const open: Registry[] = [];
  const another = async (): Promise<Registry> => {
    const registry = await connectRegistry({ url: redis.url, logger });
    open.push(registry);
    return registry;
  };
  t.teardown(async () => {
    raw.disconnect();
    await Promise.all(open.map((registry) => registry.close()));
    await redis.stop();
  });
  return { redis, registry: await another(), another, raw };
}
