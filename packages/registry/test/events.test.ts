import type { FarmEvent } from '@appshot/protocol';
import { waitUntil } from '@appshot/runtime/testing';
import test from 'ava';
import { keys } from '../src/keys.js';
import { registryOf } from './support/registry-of.js';

const eventAt = (at: number): FarmEvent => ({ at, type: 'woken', app: 'shop', aid: 'a0000000000001', node: 'n1', because: 'a visitor', phases: { fill: 1.25 } });

test('events are read in the order in which they happened', async (t) => {
  const { registry } = await registryOf(t);
  const ids: string[] = [];
  for (let at = 1; at <= 5; at++) ids.push(await registry.events.append(eventAt(at)));
  t.deepEqual((await registry.events.read()).map(({ event }) => event.at), [1, 2, 3, 4, 5]);
  t.deepEqual((await registry.events.read({ count: 2 })).map(({ event }) => event.at), [4, 5]);
  t.deepEqual((await registry.events.read({ after: ids[1], count: 2 })).map(({ event }) => event.at), [3, 4]);
  t.deepEqual((await registry.events.read({ count: 1 }))[0], { id: ids[4]!, event: eventAt(5) });
});

test('about ten thousand events are kept', async (t) => {
  const { registry, raw } = await registryOf(t);
  for (let i = 0; i < 12; i++) await Promise.all(Array.from({ length: 1_000 }, (_, at) => registry.events.append(eventAt(at))));
  const kept = await raw.xlen(keys.events);
  t.true(kept >= 10_000 && kept < 10_500, `${kept}`);
});

test('a follower is told every event once, also over a restart of Redis', async (t) => {
  const { redis, registry, another } = await registryOf(t);
  const reader = await another();
  await registry.events.append(eventAt(0));
  const heard: number[] = [];
  const stopping = new AbortController();
  const [first] = await registry.events.read();
  const running = reader.events.follow(first!.id, ({ at }) => { heard.push(at); }, stopping.signal);
  for (let at = 1; at <= 60; at++) {
    if (at % 20 === 0) await redis.restart();
    await registry.events.append(eventAt(at));
  }
  await waitUntil(() => heard.length >= 60, { what: 'sixty events' });
  t.deepEqual(heard, Array.from({ length: 60 }, (_, i) => i + 1));
  stopping.abort();
  await running;
});

test('without a place to begin, a follower hears what happens from now on', async (t) => {
  const { registry } = await registryOf(t);
  await registry.events.append(eventAt(1));
  const heard: number[] = [];
  const stopping = new AbortController();
  const running = registry.events.follow(undefined, ({ at }) => { heard.push(at); }, stopping.signal);
  await waitUntil(async () => { await registry.events.append(eventAt(2)); return heard.length > 0; });
  t.is(heard[0], 2);
  stopping.abort();
  await running;
});

test('a line that nobody understands is passed over', async (t) => {
  const { registry, raw } = await registryOf(t);
  await raw.xadd(keys.events, '*', 'e', '{"type":"from the future"}');
  await raw.xadd(keys.events, '*', 'e', 'not JSON');
  await registry.events.append(eventAt(1));
  t.deepEqual((await registry.events.read()).map(({ event }) => event.at), [1]);
});
