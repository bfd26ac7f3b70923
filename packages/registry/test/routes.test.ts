import type { Route, RouteChange } from '@appshot/protocol';
import { waitUntil } from '@appshot/runtime/testing';
import test from 'ava';
import type { Registry } from '../src/index.js';
import { keys } from '../src/keys.js';
import { registryOf } from './support/registry-of.js';
import { specOf } from './support/spec-of.js';

/** What a gateway does: loads, then follows, and keeps the newest of each. */
class Follower {
  readonly routes = new Map<string, Route>();
  readonly changes: RouteChange[] = [];
  readonly #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();

  async start(registry: Registry, between: () => Promise<void> = async () => undefined): Promise<this> {
    const { revision, routes } = await registry.routes.load();
    for (const route of routes) this.routes.set(route.app, route);
    await between();
    this.#running = registry.routes.follow(revision, (change) => this.#take(change), this.#stopping.signal);
    return this;
  }

  #take(change: RouteChange): void {
    this.changes.push(change);
    if (change.kind === 'set') this.routes.set(change.route.app, change.route);
    else this.routes.delete(change.app);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }
}

async function sameAsRegistry(registry: Registry, follower: Follower): Promise<boolean> {
  const { routes } = await registry.routes.load();
  const sorted = (list: Iterable<Route>): string => JSON.stringify([...list].sort((a, b) => (a.app < b.app ? -1 : 1)));
  return sorted(routes) === sorted(follower.routes.values());
}

async function deploy(registry: Registry, app: string): Promise<string> {
  await registry.apps.put(specOf(app), 1);
  const [aid] = await registry.aids.next();
  await registry.instances.create({ aid: aid!, app, version: 1, node: 'n1', state: 'launching', reason: 'x', now: 1 });
  return aid!;
}

const toReady = (registry: Registry, aid: string): Promise<unknown> =>
  registry.instances.transition({ aid, from: ['launching'], to: 'ready', reason: 'x', now: 2, patch: { endpoint: { ip: '10.9.0.2', port: 3000 } } });

test('a route has what a gateway needs, with every instance', async (t) => {
  const { registry } = await registryOf(t);
  t.deepEqual(await registry.routes.load(), { revision: '0-0', routes: [] });
  const aid = await deploy(registry, 'shop');
  await toReady(registry, aid);
  const { routes, revision } = await registry.routes.load();
  t.deepEqual(routes, [{ app: 'shop', hosts: ['shop.localhost'], exposed: [], concurrency: 50, holdMs: 35_000, trial: null, instances: [{ aid, state: 'ready', epoch: 2, version: 1, endpoint: { ip: '10.9.0.2', port: 3000 } }] }]);
  t.regex(revision, /^\d+-\d+$/);
});

test('a follower learns of every change, also of those between loading and following', async (t) => {
  const { registry, another } = await registryOf(t);
  const gateway = await another();
  const early = await deploy(registry, 'early');
  const follower = await new Follower().start(gateway, async () => {
    await toReady(registry, early);
    await deploy(registry, 'between');
  });
  t.teardown(() => follower.stop());
  await waitUntil(() => follower.routes.has('between') && follower.routes.get('early')!.instances[0]!.state === 'ready', { what: 'what changed in between' });
  const aid = await deploy(registry, 'late');
  await toReady(registry, aid);
  await registry.apps.remove('early');
  await waitUntil(() => sameAsRegistry(registry, follower), { what: 'the same routes' });
  t.false(follower.routes.has('early'));
  t.like(follower.routes.get('late'), { instances: [{ aid, state: 'ready', epoch: 2 }] });
});

test('what a follower is told never goes back', async (t) => {
  const { registry, another } = await registryOf(t);
  const gateway = await another();
  const aid = await deploy(registry, 'shop');
  const follower = await new Follower().start(gateway);
  t.teardown(() => follower.stop());
  await toReady(registry, aid);
  for (let i = 0; i < 50; i++) {
    await registry.instances.transition({ aid, from: ['ready'], to: 'draining', reason: 'x', now: i });
    await registry.instances.transition({ aid, from: ['draining'], to: 'ready', reason: 'x', now: i });
  }
  await waitUntil(() => sameAsRegistry(registry, follower));
  const epochs = follower.changes.flatMap((change) => (change.kind === 'set' ? change.route.instances.map(({ epoch }) => epoch) : []));
  t.deepEqual(epochs, [...epochs].sort((a, b) => a - b));
  t.is(epochs.at(-1), 102);
});

test('nothing is lost over a restart of Redis while changes go on', async (t) => {
  const { redis, registry, another } = await registryOf(t);
  const gateway = await another();
  const aids = await Promise.all(['a', 'b', 'c'].map((app) => deploy(registry, app)));
  const follower = await new Follower().start(gateway);
  t.teardown(() => follower.stop());
  let done = 0;
  const changing = Promise.all(aids.map(async (aid) => {
    await toReady(registry, aid);
    for (let i = 0; i < 100; i++) {
      await registry.instances.transition({ aid, from: ['ready'], to: 'draining', reason: 'x', now: i });
      await registry.instances.transition({ aid, from: ['draining'], to: 'ready', reason: 'x', now: i });
      done++;
    }
  }));
  for (const share of [30, 120, 220]) {
    await waitUntil(() => done > share, { everyMs: 1 });
    await redis.restart();
  }
  await changing;
  await waitUntil(() => sameAsRegistry(registry, follower), { what: 'the same routes' });
  for (const { instances } of follower.routes.values()) t.is(instances[0]!.epoch, 202, 'no transition was lost or made twice');
});

test('when Redis comes back as it was before, the follower goes back with it', async (t) => {
  const { redis, registry, another, raw } = await registryOf(t, { persistence: 'rdb' });
  const gateway = await another();
  const aid = await deploy(registry, 'kept');
  await raw.save();
  const follower = await new Follower().start(gateway);
  t.teardown(() => follower.stop());
  await deploy(registry, 'lost');
  await toReady(registry, aid);
  await waitUntil(() => follower.routes.has('lost') && sameAsRegistry(registry, follower));
  await redis.restart();
  await waitUntil(() => !follower.routes.has('lost') && sameAsRegistry(registry, follower), { what: 'the older routes' });
  t.is(follower.routes.get('kept')!.instances[0]!.state, 'launching');
  await deploy(registry, 'new');
  await waitUntil(() => follower.routes.has('new'), { what: 'following on' });
});

test('when Redis comes back empty, the follower is told that all is gone', async (t) => {
  const { redis, registry, another } = await registryOf(t, { persistence: 'rdb' });
  const gateway = await another();
  await deploy(registry, 'one');
  const follower = await new Follower().start(gateway);
  t.teardown(() => follower.stop());
  await redis.restart();
  await waitUntil(() => follower.routes.size === 0, { what: 'no routes' });
  await deploy(registry, 'two');
  await waitUntil(() => follower.routes.has('two'), { what: 'following on' });
  t.pass();
});

test('a follower whose revision is no longer in the feed is told everything', async (t) => {
  const { registry, another, raw } = await registryOf(t);
  const gateway = await another();
  await deploy(registry, 'shop');
  await deploy(registry, 'blog');
  const follower = await new Follower().start(gateway, async () => {
    await registry.apps.remove('blog');
    await deploy(registry, 'wiki');
    await raw.xtrim(keys.routeFeed, 'MAXLEN', 0);
  });
  t.teardown(() => follower.stop());
  await waitUntil(() => sameAsRegistry(registry, follower), { what: 'the same routes' });
  t.deepEqual([...follower.routes.keys()].sort(), ['shop', 'wiki']);
  await registry.apps.remove('shop');
  await waitUntil(() => !follower.routes.has('shop'), { what: 'following on' });
});

test('a gap in the feed is noticed: everything is told again', async (t) => {
  const { registry, another, raw } = await registryOf(t);
  const gateway = await another();
  await deploy(registry, 'shop');
  const follower = await new Follower().start(gateway);
  t.teardown(() => follower.stop());
  // At one moment: an app whose entry is missing, as after a trim, and the entry after it.
  const n = Number(await raw.get(keys.routeCounter));
  await raw.multi()
    .sadd(keys.apps, 'blog').hset(keys.app('blog'), { spec: JSON.stringify(specOf('blog')), version: 1, deployedAt: 1, template: '' })
    .set(keys.routeCounter, n + 2).xadd(keys.routeFeed, '*', 'n', n + 2, 'app', 'shop').exec();
  await waitUntil(() => follower.routes.has('blog'), { what: 'the app whose entry is missing' });
  t.true(await sameAsRegistry(registry, follower));
});

test('following ends when it is told to, also while it waits and while Redis is away', async (t) => {
  const { redis, registry } = await registryOf(t);
  const quiet = await new Follower().start(registry);
  await quiet.stop();
  const orphan = await new Follower().start(registry);
  await redis.kill();
  await orphan.stop();
  t.pass();
});

test('an exception of the listener does not end the following', async (t) => {
  const { registry } = await registryOf(t);
  const stopping = new AbortController();
  let told = 0;
  const running = registry.routes.follow('0-0', () => { told++; throw new Error('the listener may fail'); }, stopping.signal);
  await deploy(registry, 'one');
  await waitUntil(() => told > 0);
  const before = told;
  await deploy(registry, 'two');
  await waitUntil(() => told > before);
  stopping.abort();
  await running;
  t.pass();
});
