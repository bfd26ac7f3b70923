import test from 'ava';
import { setTimeout as delay } from 'node:timers/promises';
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { waitUntil } from '@appshot/runtime/testing';
import { appFile, playFarm, visitsOf } from './played/played-farm.js';

test('Redis away for ten seconds: running sites serve, a waiting visitor is answered when it is back', async (t) => {
  const farm = await playFarm(t);
  await farm.api('POST', '/apps', appFile('shop'));
  await farm.gateway.visit('shop');
  await farm.api('POST', '/sleep', { target: 'shop' });
  await farm.redis.kill();
  const waiting = farm.gateway.visit('shop');
  t.is((await farm.api('GET', '/health')).status, 503);
  await delay(10_000);
  await farm.redis.start();
  t.is(visitsOf(await waiting), 2);
  await farm.settled('shop', ['ready']);
});

test('NATS away for ten seconds: afterwards everything goes on', async (t) => {
  const farm = await playFarm(t);
  await farm.api('POST', '/apps', appFile('shop', 'scale: { idleMs: 300 }'));
  await farm.gateway.visit('shop');
  await farm.nats.kill();
  await delay(10_000);
  await farm.nats.start();
  t.is((await farm.gateway.visit('shop')).status, 200);
  await farm.settled('shop', ['asleep']);
  t.is(visitsOf(await farm.gateway.visit('shop')), 3);
});

test('an agent that is away for a moment is waited for', async (t) => {
  const farm = await playFarm(t);
  await farm.api('POST', '/apps', appFile('shop'));
  await farm.api('POST', '/sleep', { target: 'shop' });
  await farm.agent.die();
  const waiting = farm.gateway.visit('shop');
  await delay(1_000);
  await farm.agent.start();
  t.is((await waiting).status, 200);
});

test('a scheduler that starts takes up what the one before left half done', async (t) => {
  const farm = await playFarm(t, { schedulers: 0 });
  const scheduler = await farm.startScheduler();
  for (const name of ['restoring', 'snapshotting', 'stopping', 'gone-app']) {
    await farm.api('POST', '/apps', appFile(name));
    await farm.gateway.visit(name);
  }
  await farm.api('POST', '/sleep', { target: 'restoring' });
  await scheduler.close();

  // As if it had been killed between two steps, a while ago.
  const long = Date.now() - 60_000;
  const move = async (name: string, from: 'ready' | 'asleep' | 'draining', to: 'restoring' | 'draining' | 'snapshotting' | 'stopping'): Promise<void> => {
    const [one] = await farm.instances(name);
    await farm.registry.instances.transition({ aid: one!.aid, from: [from], to, reason: 'test', now: long });
  };
  await move('restoring', 'asleep', 'restoring');
  await move('snapshotting', 'ready', 'draining');
  await move('snapshotting', 'draining', 'snapshotting');
  await move('stopping', 'ready', 'stopping');
  await farm.registry.apps.remove('gone-app');
  await farm.registry.apps.put((await farm.registry.apps.get('restoring'))!.spec, long).catch(() => undefined);
  const launching = await farm.registry.aids.next();
  await farm.registry.instances.create({ aid: launching[0]!, app: 'stopping', version: 1, node: 'n1', state: 'launching', reason: 'test', now: long });

  await farm.startScheduler();
  await farm.settled('restoring', ['ready']);
  await farm.settled('snapshotting', ['asleep']);
  await farm.settled('stopping', ['ready']);
  await farm.settled('gone-app', []);
  t.is((await farm.instances('stopping'))[0]?.aid, launching[0]);
  t.is(farm.agent.running.size, 2);
});

test('what a node has and nobody knows of is stopped; what is known and gone is marked lost; what runs unknown to its record is adopted', async (t) => {
  const farm = await playFarm(t, { settings: { reconcileEveryMs: 300 } });
  for (const name of ['lost', 'image', 'adopted']) {
    await farm.api('POST', '/apps', appFile(name));
    await farm.gateway.visit(name);
  }
  await farm.api('POST', '/sleep', { target: 'image' });
  await farm.api('POST', '/sleep', { target: 'adopted' });
  const [adopted] = await farm.instances('adopted');
  const [image] = await farm.instances('image');
  const [lost] = await farm.instances('lost');
  const [stray] = await farm.registry.aids.next();
  await farm.agent.runStray(stray!);
  await farm.agent.runStray(adopted!.aid);
  await rm(path.join(farm.agent.images, image!.aid));
  // Killed without a word from its agent.
  const process = farm.agent.running.get(lost!.aid)!;
  farm.agent.running.delete(lost!.aid);
  process.child.kill('SIGKILL');

  await farm.settled('lost', []);
  await farm.settled('image', []);
  await farm.settled('adopted', ['ready']);
  await waitUntil(() => !farm.agent.running.has(stray!), { what: 'the stray to be stopped' });
  t.like(await farm.waitForEvent('lost', (event) => event.aid === lost!.aid), { because: 'it does not run any more' });
  t.like(await farm.waitForEvent('lost', (event) => event.aid === image!.aid), { because: 'its image is missing' });
  t.like(await farm.waitForEvent('adopted'), { aid: adopted!.aid });
  t.is((await farm.gateway.visit('image')).status, 200);
  t.true((await readdir(farm.agent.images)).length > 0);
});

test('a deploy that was cut short before its switch leaves no instance of its version', async (t) => {
  const farm = await playFarm(t);
  await farm.api('POST', '/apps', appFile('shop'));
  const [aid] = await farm.registry.aids.next();
  await farm.registry.instances.create({ aid: aid!, app: 'shop', version: 2, node: 'n1', state: 'launching', reason: 'deployed anew', now: Date.now() - 60_000 });
  await farm.settled('shop', ['ready', 'ready']);
  const [left] = await farm.settled('shop', ['ready']);
  t.is(left?.version, 1);
});

test('a scheduler that dies in the middle of wakes and sleeps leaves no visitor without an answer', async (t) => {
  const farm = await playFarm(t, { schedulers: 2, settings: { tickMs: 100 } });
  await farm.api('POST', '/apps', appFile('shop', 'scale: { idleMs: 200, max: 1 }'));
  farm.gateway.askAgainMs = 3_000;
  farm.agent.startMs = 50;
  farm.agent.snapshotMs = 50;
  for (let round = 1; round <= 6; round++) {
    const visit = await farm.gateway.visit('shop');
    t.is(visit.status, 200);
    t.is(visitsOf(visit), round);
    if (round === 3) await farm.schedulers[1]!.close();
    await farm.settled('shop', ['asleep']);
  }
});
