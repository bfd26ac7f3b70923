import type { ImageRecord, NodeLoad } from '@appshot/protocol';
import test from 'ava';
import { registryOf } from './support/registry-of.js';

const loadOf = (node: string, at: number): NodeLoad => ({
  node, at, cpus: 2, cpuUsed: 0.5, memoryTotalBytes: 8e9, memoryAvailableBytes: 4e9, pressure: null, slotsFree: 8,
  instances: [{ aid: 'a0000000000001', epoch: 3, pids: 2, memoryBytes: 1e7, cpuUsed: 0.1 }],
  zygotes: [{ app: 'shop', image: 'a0000000000001' }],
});

test('a node is known by its last heartbeat', async (t) => {
  const { registry } = await registryOf(t);
  await registry.nodes.heartbeat(loadOf('n2', 1_000));
  await registry.nodes.heartbeat(loadOf('n1', 1_000));
  await registry.nodes.heartbeat(loadOf('n1', 2_000));
  t.deepEqual(await registry.nodes.list(), [{ node: 'n1', seenAt: 2_000, load: loadOf('n1', 2_000) }, { node: 'n2', seenAt: 1_000, load: loadOf('n2', 1_000) }]);
});

test('a gateway is live for ten seconds after a heartbeat, or until it leaves', async (t) => {
  const { registry } = await registryOf(t);
  await registry.gateways.heartbeat('g1', 10_000);
  await registry.gateways.heartbeat('g2', 12_000);
  t.deepEqual(await registry.gateways.live(19_000), ['g1', 'g2']);
  t.deepEqual(await registry.gateways.live(20_000), ['g1', 'g2']);
  t.deepEqual(await registry.gateways.live(20_001), ['g2']);
  await registry.gateways.leave('g2');
  t.deepEqual(await registry.gateways.live(20_001), []);
});

test('images are kept, found by app, and removed', async (t) => {
  const { registry } = await registryOf(t);
  const imageOf = (id: string, app: string, createdAt: number): ImageRecord => ({ id, app, aid: 'a0000000000001', node: 'n1', bytes: 123, createdAt });
  await registry.images.put(imageOf('i2', 'shop', 2));
  await registry.images.put(imageOf('i1', 'shop', 1));
  await registry.images.put(imageOf('i3', 'blog', 3));
  t.deepEqual((await registry.images.list()).map(({ id }) => id), ['i1', 'i2', 'i3']);
  t.deepEqual((await registry.images.ofApp('shop')).map(({ id }) => id), ['i1', 'i2']);
  t.deepEqual(await registry.images.get('i3'), imageOf('i3', 'blog', 3));
  t.true(await registry.images.remove('i3'));
  t.false(await registry.images.remove('i3'));
  t.is(await registry.images.get('i3'), undefined);
});
