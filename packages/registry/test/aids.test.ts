import test from 'ava';
import { codeOf } from './support/code-of.js';
import { registryOf } from './support/registry-of.js';

test('AIDs asked for by many at once are unique, have one width and grow', async (t) => {
  const { registry, another } = await registryOf(t);
  const other = await another();
  const batches = await Promise.all(Array.from({ length: 200 }, (_, i) => (i % 2 ? registry : other).aids.next((i % 7) + 1)));
  const all = batches.flat();
  t.is(new Set(all).size, all.length);
  t.true(all.every((aid) => /^a[0-9a-f]{13}$/.test(aid)));
  for (const batch of batches) t.deepEqual(batch, [...batch].sort());
  const [later] = await registry.aids.next();
  t.true(all.every((aid) => aid < later!), 'text order is the order of giving');
});

test('no AID is given twice when Redis comes back without its last writes', async (t) => {
  const { redis, registry, raw } = await registryOf(t, { persistence: 'rdb' });
  const given = new Set(await registry.aids.next(10_000));
  await raw.save();
  for (let round = 0; round < 3; round++) {
    const lost = (await Promise.all(Array.from({ length: 20 }, () => registry.aids.next(500)))).flat();
    for (const aid of lost) {
      t.false(given.has(aid));
      given.add(aid);
    }
    await redis.kill();
    await redis.start();
    const highest = [...given].sort().at(-1)!;
    const [after] = await registry.aids.next();
    t.true(after! > highest, 'growing, too');
    given.add(after!);
  }
});

test('an AID found on a disk raises the floor', async (t) => {
  const { registry } = await registryOf(t);
  await registry.aids.raiseFloor('a7ffffffffffff');
  t.true((await registry.aids.next())[0]! > 'a7ffffffffffff');
  const [before] = await registry.aids.next();
  await registry.aids.raiseFloor('a0000000000001');
  t.true((await registry.aids.next())[0]! > before!, 'a lower one changes nothing');
});

test('a clock that was set back does not stop AIDs from being given', async (t) => {
  const { registry } = await registryOf(t);
  const hourAhead = (Date.now() + 3_600_000) * 1_000;
  await registry.aids.raiseFloor(`a${hourAhead.toString(16).padStart(13, '0')}`);
  const aids = [...(await registry.aids.next(3)), ...(await registry.aids.next(2))];
  t.deepEqual(aids, [...new Set(aids)].sort());
});

test('a count that makes no sense is refused', async (t) => {
  const { registry } = await registryOf(t);
  for (const count of [0, -1, 1.5, 10_001]) t.is(await codeOf(registry.aids.next(count)), 'bad-request');
});
