import test from 'ava';
import { Redis } from 'ioredis';
import { keys } from '../src/keys.js';
import { RedisDoor } from '../src/redis-door.js';
import { logger, registryOf } from './support/registry-of.js';
import { specOf } from './support/spec-of.js';

// What Redis did, and whose answer was lost with the connection, is sent again: the same operation must get the same answer.

test('a claim that is sent twice is still ours', async (t) => {
  const { registry, redis } = await registryOf(t);
  const door = new RedisDoor(new Redis(redis.url), logger);
  door.start();
  t.teardown(() => door.redis.disconnect());
  await registry.apps.put(specOf('shop'), 1);
  const [aid] = await registry.aids.next();
  await registry.instances.create({ aid: aid!, app: 'shop', version: 1, node: 'n1', state: 'asleep', reason: 'x', now: 1 });

  const claim = (op: string): Promise<unknown> => door.script('claim-wake', [keys.instances('shop'), keys.routeFeed, keys.routeCounter], ['shop', op, 5, 'x']);
  const first = await claim('op-1');
  t.deepEqual(await claim('op-1'), first);
  t.is(((await claim('op-2')) as string[])[0], 'pending');
  t.is((await registry.instances.get(aid!))!.epoch, 2);
});

test('a transition that is sent twice happens once, a deletion too', async (t) => {
  const { registry, redis } = await registryOf(t);
  const door = new RedisDoor(new Redis(redis.url), logger);
  door.start();
  t.teardown(() => door.redis.disconnect());
  await registry.apps.put(specOf('shop'), 1);
  const [aid] = await registry.aids.next();
  await registry.instances.create({ aid: aid!, app: 'shop', version: 1, node: 'n1', state: 'ready', reason: 'x', now: 1 });

  const move = (op: string, from: string, to: string, epoch: number): Promise<unknown> => door.script('transition-instance',
    [keys.aids, keys.instancesPrefix, keys.routeFeed, keys.routeCounter, keys.operation(op)], [aid!, op, to, from, from, epoch, 5, 'x', '{}', 1_000]);
  const first = await move('op-1', 'ready', 'stopping', 1);
  t.deepEqual(await move('op-1', 'ready', 'stopping', 1), first);
  t.is((await registry.instances.get(aid!))!.epoch, 2);
  const gone = await move('op-2', 'stopping', 'gone', 2);
  t.is((gone as string[])[0], 'ok');
  t.deepEqual(await move('op-2', 'stopping', 'gone', 2), gone);
});

test('a release that is sent twice does not take the address from its next holder', async (t) => {
  const { registry, redis } = await registryOf(t);
  const door = new RedisDoor(new Redis(redis.url), logger);
  door.start();
  t.teardown(() => door.redis.disconnect());
  await registry.ips.configure({ cidr: '10.9.0.1/32', restMs: 0 });
  const [ip] = await registry.ips.lease('n1', 1);
  const release = (): Promise<unknown> => door.script('release-addresses', [keys.ipLeases, keys.ipResting, keys.ipPool, keys.operation('op-1')], [1_000, ip!]);
  t.is(await release(), 1);
  await registry.ips.release([ip!]);
  t.deepEqual(await registry.ips.lease('n2', 1), [ip]);
  t.is(await release(), 0);
  t.deepEqual(await registry.ips.heldBy('n2'), [ip]);
});
