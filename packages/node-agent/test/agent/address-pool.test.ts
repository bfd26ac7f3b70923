import { connectRegistry, type Registry } from '@appshot/registry';
import { createLogger } from '@appshot/runtime';
import { startRedis, waitUntil } from '@appshot/runtime/testing';
import test from 'ava';
import { AddressPool } from '../../src/agent/address-pool.js';

const logger = createLogger('test');
const redis = await startRedis();
test.after.always(() => redis.stop());

/** Remembers what the engine was told last. */
class ConfigureLog {
  addresses: readonly string[] = [];
  async configure(options: { addresses: readonly string[]; podsReady: number }): Promise<void> {
    this.addresses = options.addresses;
  }
}

async function poolOf(node: string, registry: Registry): Promise<{ pool: AddressPool; engine: ConfigureLog }> {
  const engine = new ConfigureLog();
  return { pool: new AddressPool({ node, registry, engine, logger, spare: 4, podsReady: 1 }), engine };
}

test('an address that an instance had leaves the engine before the instance ends, and then rests in the registry', async (t) => {
  const registry = await connectRegistry({ url: redis.url, logger });
  t.teardown(() => registry.close());
  await registry.ips.configure({ cidr: '10.200.0.0/24', restMs: 60_000 });
  const { pool, engine } = await poolOf('n1', registry);
  await pool.start([]);
  t.is(engine.addresses.length, 4);
  const ip = engine.addresses[0] as string;
  pool.take(ip);
  await waitUntil(() => !engine.addresses.includes(ip));
  pool.end(ip);
  await waitUntil(async () => !(await registry.ips.heldBy('n1')).includes(ip));
  t.false((await registry.ips.lease('n2', 20)).includes(ip));

  // One that sleeps with connections: its address stays leased, and the engine keeps it.
  const kept = engine.addresses[0] as string;
  pool.take(kept);
  await waitUntil(() => !engine.addresses.includes(kept));
  pool.end(kept, true);
  await waitUntil(() => engine.addresses.includes(kept));
  t.true((await registry.ips.heldBy('n1')).includes(kept));

  // A new agent of the node: what it held is free, but for what runs.
  const { pool: next, engine: nextEngine } = await poolOf('n1', registry);
  await pool.close(false);
  const running = engine.addresses[0] as string;
  await next.start([running]);
  t.false(nextEngine.addresses.includes(running));
  t.true((await registry.ips.heldBy('n1')).includes(running));

  next.end(running);
  await next.close(true);
  t.deepEqual(nextEngine.addresses, []);
  t.deepEqual(await registry.ips.heldBy('n1'), []);
});
