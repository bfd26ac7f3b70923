import { setTimeout as delay } from 'node:timers/promises';
import { patienceMs, waitUntil } from '@appshot/runtime/testing';
import test from 'ava';
import { connectRegistry } from '../src/index.js';
import { codeOf } from './support/code-of.js';
import { logger, registryOf } from './support/registry-of.js';
import { specOf } from './support/spec-of.js';

test('Redis away for ten seconds is survived: commands wait and are done once', async (t) => {
  const { redis, registry } = await registryOf(t);
  await registry.apps.put(specOf('shop'), 1);
  const [aid] = await registry.aids.next();
  await registry.instances.create({ aid: aid!, app: 'shop', version: 1, node: 'n1', state: 'asleep', reason: 'x', now: 1 });
  await redis.kill();
  await waitUntil(() => !registry.connected);
  const claims = Array.from({ length: 20 }, () => registry.instances.claimWake('shop', 5, 'a visitor'));
  // The outage itself: ten seconds of it are what is tested.
  await delay(10_000);
  await redis.start();
  t.is((await Promise.all(claims)).filter(({ kind }) => kind === 'claimed').length, 1);
  t.like(await registry.instances.get(aid!), { state: 'restoring', epoch: 2 });
  await registry.ping();
});

test('a Redis that stays away is unavailable after a bounded time', async (t) => {
  const { redis, registry } = await registryOf(t);
  await redis.kill();
  const began = performance.now();
  t.is(await codeOf(registry.apps.list()), 'unavailable');
  const took = performance.now() - began;
  t.true(took > 10_000 && took < patienceMs, `${took} ms`);
  await redis.start();
  await waitUntil(() => registry.connected);
  t.deepEqual(await registry.apps.list(), []);
});

test('a Redis that hangs for a while delays commands and loses none', async (t) => {
  const { redis, registry } = await registryOf(t);
  redis.pause();
  const puts = Promise.all(Array.from({ length: 20 }, (_, i) => registry.apps.put(specOf(`app-${i}`), i)));
  t.is(await Promise.race([puts, delay(300, 'silence')]), 'silence');
  redis.resume();
  await puts;
  t.is((await registry.apps.list()).length, 20);
});

test('without Redis at the start, connecting is unavailable after the given time', async (t) => {
  t.is(await codeOf(connectRegistry({ url: 'redis://127.0.0.1:9', logger, withinMs: 300 })), 'unavailable');
});

test('a closed registry is unavailable at once', async (t) => {
  const { registry } = await registryOf(t);
  await registry.close();
  t.is(await codeOf(registry.apps.list()), 'unavailable');
});
