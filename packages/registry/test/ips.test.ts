import { waitUntil } from '@appshot/runtime/testing';
import test from 'ava';
import fc from 'fast-check';
import { codeOf } from './support/code-of.js';
import { registryOf } from './support/registry-of.js';

type Step = { kind: 'lease'; node: string; count: number } | { kind: 'release'; node: string; share: number } | { kind: 'claim'; node: string; share: number };

const node = fc.constantFrom('n1', 'n2', 'n3');
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('lease' as const), node, count: fc.integer({ min: 1, max: 9 }) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('release' as const), node, share: fc.double({ min: 0, max: 1, noNaN: true }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('claim' as const), node, share: fc.double({ min: 0, max: 1, noNaN: true }) }) },
);

test('over random histories, some of them concurrent, an address belongs to one node at most', async (t) => {
  const { registry, another, raw } = await registryOf(t);
  const registries = [registry, await another(), await another()];
  const poolSize = 30;
  await fc.assert(fc.asyncProperty(fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { maxLength: 25 }), async (rounds) => {
    // All let go of the same: one that looks later than another has released would still believe that it holds what it had.
    const held = (await Promise.all(['n1', 'n2', 'n3'].map((name) => registry.ips.heldBy(name)))).flat();
    await Promise.all(registries.map((r) => r.ips.release(held)));
    await raw.flushall();
    await registry.ips.configure({ cidr: '10.9.0.0/27', restMs: 0 });
    // The model: who holds what. The steps of one round run at the same time.
    const owner = new Map<string, string>();
    for (const round of rounds) {
      const free = poolSize - owner.size;
      const mine = (name: string): string[] => [...owner].flatMap(([ip, holder]) => (holder === name ? [ip] : []));
      const busy = new Set<string>();
      await Promise.all(round.map(async (action, i) => {
        const { ips } = registries[Number(action.node.at(-1)) - 1]!;
        if (action.kind === 'lease') {
          const leased = await ips.lease(action.node, action.count).catch((error: { code: string }) => error.code);
          if (typeof leased === 'string') {
            t.is(leased, 'no-address');
            if (round.length === 1) t.true(free < action.count, 'refused only when there are too few');
            return;
          }
          t.is(leased.length, action.count);
          for (const ip of leased) {
            t.false(owner.has(ip), `${ip} was given to ${action.node} while ${owner.get(ip)} had it`);
            owner.set(ip, action.node);
          }
          return;
        }
        const some = mine(action.node).filter((ip, at) => !busy.has(ip) && (at + i) % 10 < action.share * 10);
        for (const ip of some) busy.add(ip);
        if (action.kind === 'claim') return void t.deepEqual(await ips.claim(action.node, some), []);
        // Free from the moment at which the release is sent: another may have it before we hear the answer.
        for (const ip of some) owner.delete(ip);
        await ips.release(some);
      }));
      for (const name of ['n1', 'n2', 'n3']) t.deepEqual((await registry.ips.heldBy(name)).sort(), mine(name).sort());
    }
  }), { numRuns: 60 });
});

test('all of a pool can be given, to many at once, and no more', async (t) => {
  const { registry, another } = await registryOf(t);
  const other = await another();
  await registry.ips.configure({ cidr: '10.9.0.0/24', restMs: 0 });
  const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => (i % 2 ? registry : other).ips.lease(`n${i % 2}`, 3).catch(() => [])));
  const given = answers.flat();
  t.is(new Set(given).size, given.length);
  t.true(given.length > 240, 'concurrent refusals give back what they had');
  t.is(await codeOf(registry.ips.lease('n1', 254 - given.length + 1)), 'no-address');
  t.is((await registry.ips.lease('n1', 254 - given.length)).length, 254 - given.length);
});

test('a released address rests before it is given again', async (t) => {
  const { registry } = await registryOf(t);
  await registry.ips.configure({ cidr: '10.9.0.0/30', restMs: 3_000 });
  const leased = await registry.ips.lease('n1', 2);
  const released = performance.now();
  await registry.ips.release(leased);
  t.is(await codeOf(registry.ips.lease('n1', 1)), 'no-address');
  await waitUntil(async () => (await codeOf(registry.ips.lease('n1', 1))) === 'done', { what: 'the rest to end' });
  t.true(performance.now() - released > 2_999);
});

test('another node\'s address cannot be claimed; a forgotten one can', async (t) => {
  const { registry, another } = await registryOf(t);
  const other = await another();
  await registry.ips.configure({ cidr: '10.9.0.0/28', restMs: 60_000 });
  const [ip] = await registry.ips.lease('n1', 1);
  t.deepEqual(await other.ips.claim('n2', [ip!, '10.9.0.14']), [ip]);
  t.deepEqual(await registry.ips.heldBy('n2'), ['10.9.0.14']);
  await registry.ips.release([ip!]);
  t.deepEqual(await registry.ips.claim('n1', [ip!]), [], 'also while it rests');
});

test('no address is given twice when Redis comes back without its last writes', async (t) => {
  const { redis, registry, raw } = await registryOf(t, { persistence: 'rdb' });
  await registry.ips.configure({ cidr: '10.9.0.0/25', restMs: 0 });
  const before = await registry.ips.lease('n1', 5);
  await raw.save();
  const lost = await registry.ips.lease('n1', 40);
  await redis.restart();
  const after = (await Promise.all(Array.from({ length: 10 }, () => registry.ips.lease('n1', 4)))).flat();
  const all = [...before, ...lost, ...after];
  t.is(new Set(all).size, all.length);
  t.deepEqual((await registry.ips.heldBy('n1')).sort(), all.sort(), 'the lost leases are known again');
});

test('nor when leases are asked for while it goes and comes', async (t) => {
  const { redis, registry, raw } = await registryOf(t, { persistence: 'rdb' });
  await registry.ips.configure({ cidr: '10.9.0.0/20', restMs: 0 });
  await raw.save();
  const all: string[] = [];
  let going = true;
  const leasing = Promise.all(Array.from({ length: 20 }, async () => {
    while (going) all.push(...(await registry.ips.lease('n1', 2)));
  }));
  for (let round = 1; round <= 4; round++) {
    await waitUntil(() => all.length > round * 200, { everyMs: 1 });
    await redis.restart();
  }
  going = false;
  await leasing;
  t.is(new Set(all).size, all.length);
  t.deepEqual((await registry.ips.heldBy('n1')).filter((ip) => all.includes(ip)).length, all.length);
});

test('a pool that was not configured has no address', async (t) => {
  const { registry } = await registryOf(t);
  t.is(await codeOf(registry.ips.lease('n1', 1)), 'no-address');
  t.is(await codeOf(registry.ips.configure({ cidr: 'nonsense', restMs: 0 })), 'bad-request');
});
