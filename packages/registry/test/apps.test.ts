import test from 'ava';
import { FarmError } from '@appshot/runtime';
import { codeOf } from './support/code-of.js';
import { registryOf } from './support/registry-of.js';
import { specOf } from './support/spec-of.js';

test('an app is kept as it was deployed, with a version that grows', async (t) => {
  const { registry } = await registryOf(t);
  const first = await registry.apps.put(specOf('shop'), 1_000);
  t.like(first, { version: 1, deployedAt: 1_000, template: null });
  t.deepEqual(await registry.apps.get('shop'), first);
  t.deepEqual((await registry.apps.get('shop'))!.spec.template.warmup, [], 'an empty list stays a list');
  await registry.apps.put(specOf('blog'), 1_500);
  t.is((await registry.apps.put(specOf('shop'), 2_000)).version, 2);
  t.deepEqual((await registry.apps.list()).map(({ spec, version }) => [spec.name, version]), [['blog', 1], ['shop', 2]]);
});

test('a host name has one owner, who is named', async (t) => {
  const { registry } = await registryOf(t);
  await registry.apps.put(specOf('shop', ['shop.localhost', '*.shop.localhost']), 1);
  const error = await t.throwsAsync(registry.apps.put(specOf('thief', ['thief.localhost', '*.shop.localhost']), 2), { instanceOf: FarmError });
  t.like(error, { code: 'host-taken', facts: { host: '*.shop.localhost', owner: 'shop' } });
  t.is(await registry.apps.get('thief'), undefined, 'nothing of a refused deploy is kept');
  t.is(await codeOf(registry.apps.put(specOf('other', ['thief.localhost']), 3)), 'done');
});

test('a new deploy frees the host names it no longer has, and so does removing', async (t) => {
  const { registry } = await registryOf(t);
  await registry.apps.put(specOf('shop', ['a.localhost', 'b.localhost']), 1);
  await registry.apps.put(specOf('shop', ['b.localhost', 'c.localhost']), 2);
  t.is(await codeOf(registry.apps.put(specOf('other', ['a.localhost']), 3)), 'done');
  t.is(await codeOf(registry.apps.put(specOf('third', ['c.localhost']), 3)), 'host-taken');
  t.true(await registry.apps.remove('shop'));
  t.false(await registry.apps.remove('shop'));
  t.is(await codeOf(registry.apps.put(specOf('third', ['c.localhost']), 4)), 'done');
  t.is((await registry.apps.put(specOf('shop', ['d.localhost']), 5)).version, 3, 'a version is never used twice');
});

test('one of many who want the same host name at once gets it', async (t) => {
  const { registry, another } = await registryOf(t);
  const other = await another();
  const codes = await Promise.all(Array.from({ length: 50 }, (_, i) => codeOf((i % 2 ? registry : other).apps.put(specOf(`app-${i}`, ['one.localhost']), i))));
  t.is(codes.filter((code) => code === 'done').length, 1);
  t.is(codes.filter((code) => code === 'host-taken').length, 49);
});

test('a template belongs to the version that it was made from', async (t) => {
  const { registry } = await registryOf(t);
  await registry.apps.put(specOf('shop'), 1);
  t.true(await registry.apps.setTemplate('shop', 1, 'a0000000000001'));
  t.is((await registry.apps.get('shop'))!.template, 'a0000000000001');
  await registry.apps.put(specOf('shop'), 2);
  t.is((await registry.apps.get('shop'))!.template, null);
  t.false(await registry.apps.setTemplate('shop', 1, 'a0000000000001'), 'too late');
  t.true(await registry.apps.setTemplate('shop', 2, 'a0000000000002'));
  t.true(await registry.apps.setTemplate('shop', 2, null));
  t.is((await registry.apps.get('shop'))!.template, null);
  t.false(await registry.apps.setTemplate('gone', 1, 'x'));
});

test('what was current before is kept, with its template, and the same put twice changes nothing', async (t) => {
  const { registry } = await registryOf(t);
  await registry.apps.put(specOf('shop', ['old.localhost']), 1);
  await registry.apps.setTemplate('shop', 1, 'a0000000000001');
  const version = await registry.apps.nextVersion('shop');
  const second = await registry.apps.put(specOf('shop', ['new.localhost']), 2, { version, template: 'a0000000000002' });
  t.like(second, { version: 2, template: 'a0000000000002', trial: null, previous: { version: 1, deployedAt: 1, template: 'a0000000000001', spec: { hosts: ['old.localhost'] } } });
  t.deepEqual(second.previous!.spec.template.warmup, [], 'an empty list stays a list');
  t.deepEqual(await registry.apps.put(specOf('shop', ['new.localhost']), 3, { version, template: 'a0000000000002' }), second);
  t.like(await registry.apps.put(specOf('shop'), 4), { version: 3, previous: { version: 2 } });
});

test('a trial stands beside the version it was begun beside, and gateways are told', async (t) => {
  const { registry } = await registryOf(t);
  const { spec } = await registry.apps.put(specOf('shop'), 1);
  const trial = { spec, version: await registry.apps.nextVersion('shop'), deployedAt: 2, template: null, percent: 10 };
  t.true(await registry.apps.setTrial('shop', 1, trial));
  t.deepEqual((await registry.apps.get('shop'))!.trial, trial);
  t.deepEqual((await registry.routes.load()).routes[0]!.trial, { version: 2, percent: 10 });
  t.true(await registry.apps.setTrial('shop', 1, null));
  t.is((await registry.routes.load()).routes[0]!.trial, null);
  t.false(await registry.apps.setTrial('shop', 9, trial), 'another version is current');
  t.true(await registry.apps.setTrial('shop', 1, trial));
  t.is((await registry.apps.put(spec, 3)).trial, null, 'a deploy ends it');
});
