import { type InstanceState, InstanceState as States, transitions } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import test from 'ava';
import type { Registry } from '../src/index.js';
import { codeOf } from './support/code-of.js';
import { registryOf } from './support/registry-of.js';
import { specOf } from './support/spec-of.js';

const endpoint = { ip: '10.9.0.2', port: 3000 };

async function instanceOf(registry: Registry, app: string, state: Exclude<InstanceState, 'gone'> = 'launching'): Promise<string> {
  const [aid] = await registry.aids.next();
  await registry.instances.create({ aid: aid!, app, version: 1, node: 'n1', state, reason: 'test', now: 1_000 });
  return aid!;
}

test('an instance lives through its states, each with the next epoch', async (t) => {
  const { registry } = await registryOf(t);
  await registry.apps.put(specOf('shop'), 1);
  const aid = await instanceOf(registry, 'shop');
  t.deepEqual(await registry.instances.get(aid), { aid, app: 'shop', version: 1, node: 'n1', state: 'launching', reason: 'test', epoch: 1, since: 1_000, memoryBytes: 0, pids: 0 });

  const now = 1_795_432_100_123;
  const ready = await registry.instances.transition({ aid, from: ['launching'], to: 'ready', epoch: 1, reason: 'it answered', now, patch: { endpoint, memoryBytes: 5_368_709_120, pids: 3 } });
  t.deepEqual(ready, { aid, app: 'shop', version: 1, node: 'n1', state: 'ready', reason: 'it answered', epoch: 2, since: now, endpoint, memoryBytes: 5_368_709_120, pids: 3 });
  t.deepEqual(await registry.instances.get(aid), ready);

  for (const [from, to] of [['ready', 'draining'], ['draining', 'snapshotting']] as const) await registry.instances.transition({ aid, from: [from], to, reason: 'idle', now });
  const asleep = await registry.instances.transition({ aid, from: ['snapshotting'], to: 'asleep', reason: 'idle', now, patch: { image: aid } });
  t.deepEqual(asleep, { aid, app: 'shop', version: 1, node: 'n1', state: 'asleep', reason: 'idle', epoch: 5, since: now, image: aid, memoryBytes: 0, pids: 0 });

  await registry.instances.transition({ aid, from: ['asleep'], to: 'stopping', reason: 'removed', now });
  t.is((await registry.instances.transition({ aid, from: ['stopping'], to: 'gone', reason: 'removed', now })).state, 'gone');
  t.is(await registry.instances.get(aid), undefined);
  t.deepEqual(await registry.instances.ofApp('shop'), []);
  t.is(await codeOf(registry.instances.transition({ aid, from: ['stopping'], to: 'gone', reason: 'again', now })), 'not-found');
});

test('exactly the transitions of the table are allowed', async (t) => {
  const { registry } = await registryOf(t);
  await registry.apps.put(specOf('shop'), 1);
  for (const from of States.options.filter((state) => state !== 'gone')) {
    for (const to of States.options) {
      const aid = await instanceOf(registry, 'shop', from);
      const code = await codeOf(registry.instances.transition({ aid, from: [from], to, reason: 'test', now: 2 }));
      t.is(code, (transitions[from] as readonly InstanceState[]).includes(to) ? 'done' : 'illegal-transition', `${from} -> ${to}`);
    }
  }
});

test('a state other than the expected, or an old epoch, is refused with what is', async (t) => {
  const { registry } = await registryOf(t);
  await registry.apps.put(specOf('shop'), 1);
  const aid = await instanceOf(registry, 'shop', 'ready');
  const wrong = await t.throwsAsync(registry.instances.transition({ aid, from: ['draining', 'snapshotting'], to: 'stopping', reason: 'x', now: 2 }), { instanceOf: FarmError });
  t.like(wrong, { code: 'illegal-transition', facts: { aid, state: 'ready', epoch: 1 } });
  await registry.instances.transition({ aid, from: ['ready'], to: 'draining', epoch: 1, reason: 'x', now: 2 });
  const stale = await t.throwsAsync(registry.instances.transition({ aid, from: ['ready', 'draining'], to: 'stopping', epoch: 1, reason: 'x', now: 2 }), { instanceOf: FarmError });
  t.like(stale, { code: 'stale-epoch', facts: { aid, state: 'draining', epoch: 2 } });
  t.like(await registry.instances.get(aid), { state: 'draining', epoch: 2 });
});

test('of many who move an instance at once, one does', async (t) => {
  const { registry, another } = await registryOf(t);
  const other = await another();
  await registry.apps.put(specOf('shop'), 1);
  const aid = await instanceOf(registry, 'shop', 'ready');
  const codes = await Promise.all(Array.from({ length: 100 }, (_, i) => codeOf((i % 2 ? registry : other).instances.transition({ aid, from: ['ready'], to: i % 3 ? 'draining' : 'stopping', epoch: 1, reason: 'x', now: 2 }))));
  t.is(codes.filter((code) => code === 'done').length, 1);
  t.is(codes.filter((code) => code === 'stale-epoch').length, 99);
  t.is((await registry.instances.get(aid))!.epoch, 2);
});

test('two hundred who want a sleeping app awake at once: one is told to wake it', async (t) => {
  const { registry, another } = await registryOf(t);
  const registries = [registry, await another(), await another()];
  await registry.apps.put(specOf('shop'), 1);
  const aid = await instanceOf(registry, 'shop', 'asleep');
  const claims = await Promise.all(Array.from({ length: 200 }, (_, i) => registries[i % 3]!.instances.claimWake('shop', 5, 'a visitor')));
  const claimed = claims.filter(({ kind }) => kind === 'claimed');
  t.is(claimed.length, 1);
  t.like(claimed[0], { record: { aid, state: 'restoring', epoch: 2, reason: 'a visitor', since: 5 } });
  t.true(claims.every((claim) => claim.kind === 'claimed' || (claim.kind === 'pending' && claim.record.aid === aid)));
});

test('a node claims what sleeps on it, once, and nothing else', async (t) => {
  const { registry } = await registryOf(t);
  await registry.apps.put(specOf('shop'), 1);
  const aid = await instanceOf(registry, 'shop', 'asleep');
  const { node } = (await registry.instances.get(aid))!;
  const claim = (of: string, on: string): ReturnType<typeof registry.instances.claimSleeper> =>
    registry.instances.claimSleeper({ app: 'shop', aid: of, node: on, now: 5, reason: 'a visitor' });
  t.like(await claim(aid, 'another-node'), { kind: 'pending', record: { state: 'asleep', epoch: 1 } });
  t.like(await claim('a0000000000000', node), { kind: 'pending', record: { state: 'asleep', epoch: 1 } });
  const { revision } = await registry.routes.load();
  const claims = await Promise.all(Array.from({ length: 20 }, () => claim(aid, node)));
  t.like(claims.filter(({ kind }) => kind === 'claimed'), { length: 1, 0: { record: { aid, state: 'restoring', epoch: 2, claimedBy: node } } });
  t.is((await registry.routes.load()).revision, revision, 'whoever follows the routes hears of the outcome');
  await registry.instances.transition({ aid, from: ['restoring'], to: 'asleep', reason: 'x', now: 6 });
  const scheduled = await registry.instances.claimWake('shop', 7, 'a visitor');
  t.is(scheduled.kind === 'claimed' ? scheduled.record.claimedBy : 'nobody', undefined, 'a scheduler took it since');
  await registry.instances.transition({ aid, from: ['restoring'], to: 'asleep', reason: 'x', now: 8 });
  const ready = await instanceOf(registry, 'shop', 'ready');
  t.like(await claim(aid, node), { kind: 'ready', record: { aid: ready } });
});

test('a visitor during each state', async (t) => {
  const { registry } = await registryOf(t);
  const expected: Record<Exclude<InstanceState, 'gone'>, [string, string?]> = {
    ready: ['ready', 'ready'], draining: ['claimed', 'ready'], asleep: ['claimed', 'restoring'],
    parked: ['claimed', 'unparking'], unparking: ['pending', 'unparking'], restoring: ['pending', 'restoring'], launching: ['pending', 'launching'], cloning: ['pending', 'cloning'], snapshotting: ['pending', 'snapshotting'],
    stopping: ['none'], failed: ['none'],
  };
  for (const [state, [kind, after]] of Object.entries(expected)) {
    await registry.apps.put(specOf(`in-${state}`), 1);
    await instanceOf(registry, `in-${state}`, state as Exclude<InstanceState, 'gone'>);
    const claim = await registry.instances.claimWake(`in-${state}`, 5, 'a visitor');
    t.is(claim.kind, kind as typeof claim.kind, state);
    t.is(claim.kind === 'none' ? undefined : claim.record.state, after as InstanceState | undefined, state);
  }
  t.deepEqual(await registry.instances.claimWake('no-such-app', 5, 'a visitor'), { kind: 'none' });
});

test('of several instances the one that answers soonest is chosen, and of sleepers the one awake last', async (t) => {
  const { registry } = await registryOf(t);
  await registry.apps.put(specOf('shop'), 1);
  await instanceOf(registry, 'shop', 'failed');
  const old = await instanceOf(registry, 'shop', 'snapshotting');
  const young = await instanceOf(registry, 'shop', 'snapshotting');
  await registry.instances.transition({ aid: young, from: ['snapshotting'], to: 'asleep', reason: 'x', now: 20 });
  await registry.instances.transition({ aid: old, from: ['snapshotting'], to: 'asleep', reason: 'x', now: 30 });
  t.like(await registry.instances.claimWake('shop', 40, 'x'), { kind: 'claimed', record: { aid: old } });
  const draining = await instanceOf(registry, 'shop', 'draining');
  t.like(await registry.instances.claimWake('shop', 40, 'x'), { kind: 'claimed', record: { aid: draining, state: 'ready' } });
  t.like(await registry.instances.claimWake('shop', 40, 'x'), { kind: 'ready', record: { aid: draining } });
});

test('creating needs the app and a new AID, and can insist on being the first', async (t) => {
  const { registry } = await registryOf(t);
  const [aid, second] = await registry.aids.next(2);
  const fresh = { version: 1, node: 'n1', state: 'launching', reason: 'x', now: 1 } as const;
  t.is(await codeOf(registry.instances.create({ ...fresh, aid: aid!, app: 'shop' })), 'not-found');
  await registry.apps.put(specOf('shop'), 1);
  await registry.apps.put(specOf('blog'), 1);
  t.is(await codeOf(registry.instances.create({ ...fresh, aid: aid!, app: 'shop' })), 'done');
  t.is(await codeOf(registry.instances.create({ ...fresh, aid: aid!, app: 'blog' })), 'illegal-transition');
  t.is(await codeOf(registry.instances.create({ ...fresh, aid: second!, app: 'shop', onlyFirst: true })), 'illegal-transition');
  await registry.instances.transition({ aid: aid!, from: ['launching'], to: 'failed', reason: 'x', now: 2 });
  const codes = await Promise.all((await registry.aids.next(20)).map((one) => codeOf(registry.instances.create({ ...fresh, aid: one, app: 'shop', onlyFirst: true }))));
  t.is(codes.filter((code) => code === 'done').length, 1);
});

test('lists: of an app, on a node, and all, also of a removed app', async (t) => {
  const { registry } = await registryOf(t);
  await registry.apps.put(specOf('shop'), 1);
  await registry.apps.put(specOf('blog'), 1);
  const a = await instanceOf(registry, 'shop');
  const b = await instanceOf(registry, 'blog');
  const c = await instanceOf(registry, 'shop');
  await registry.instances.transition({ aid: c, from: ['launching'], to: 'ready', reason: 'x', now: 2, patch: { node: 'n2' } });
  t.deepEqual((await registry.instances.ofApp('shop')).map(({ aid }) => aid), [a, c]);
  t.deepEqual((await registry.instances.onNode('n1')).map(({ aid }) => aid), [a, b]);
  await registry.apps.remove('shop');
  t.deepEqual((await registry.instances.list()).map(({ aid }) => aid), [a, b, c]);
});
