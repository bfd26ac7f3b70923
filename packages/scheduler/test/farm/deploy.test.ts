import test from 'ava';
import { readdir } from 'node:fs/promises';
import { FarmError } from '@appshot/runtime';
import { waitUntil } from '@appshot/runtime/testing';
import { appFile, playFarm, visitsOf } from './played/played-farm.js';

test('a new version is switched to without a failed request, and the old one goes', async (t) => {
  const farm = await playFarm(t);
  // One instance: on a slow machine four visitors may be worth a clone, which then stands parked.
  const scale = 'scale: { idleMs: never, max: 1 }';
  await farm.api('POST', '/apps', appFile('shop', scale));
  const [old] = await farm.instances('shop');
  let running = true;
  const visitors = Array.from({ length: 4 }, async () => {
    while (running) t.is((await farm.gateway.visit('shop', '/?ms=20')).status, 200);
  });
  const deployed = await farm.api('POST', '/apps', appFile('shop', `env: { COLOR: red }\n${scale}`));
  t.like(deployed, { status: 200, body: { version: 2, spec: { env: { COLOR: 'red' } } } });
  await waitUntil(async () => (await farm.instances('shop')).every((one) => one.aid !== old!.aid), { what: 'the old version to go' });
  running = false;
  await Promise.all(visitors);
  const [left] = await farm.settled('shop', ['ready']);
  t.is(left?.version, 2);
  t.is(farm.agent.running.size, 1);
});

test('a new version that does not start changes nothing', async (t) => {
  const farm = await playFarm(t);
  await farm.api('POST', '/apps', appFile('shop'));
  t.is(visitsOf(await farm.gateway.visit('shop')), 1);
  const refused = await farm.api('POST', '/apps', { ...appFile('shop'), text: appFile('shop').text.replace('[site]', '[missing]') });
  t.like(refused, { status: 422, body: { code: 'command-not-found' } });
  t.is(visitsOf(await farm.gateway.visit('shop')), 2);
  t.is((await farm.api('GET', '/apps')).body[0].version, 1);
  await farm.settled('shop', ['ready']);
});

test('a first deploy that does not start leaves nothing, not even its host name', async (t) => {
  const farm = await playFarm(t);
  farm.agent.failures.push({ verb: 'launch', error: new FarmError('not-ready-in-time', 'shop did not answer on port 3000 within 30 s'), times: 1 });
  t.like(await farm.api('POST', '/apps', appFile('shop')), { status: 504, body: { code: 'not-ready-in-time' } });
  t.deepEqual((await farm.api('GET', '/apps')).body, []);
  await farm.settled('shop', []);
  t.is((await farm.api('POST', '/apps', { ...appFile('other'), text: appFile('other').text.replace('other.localhost', 'shop.localhost') })).status, 200);
});

test('a host name that is taken is refused with its line and its owner', async (t) => {
  const farm = await playFarm(t);
  await farm.api('POST', '/apps', appFile('shop'));
  const refused = await farm.api('POST', '/apps', { ...appFile('other'), text: appFile('other').text.replace('[other.localhost]', '\n  - other.localhost\n  - shop.localhost') });
  t.like(refused, { status: 409, body: { code: 'host-taken', facts: { owner: 'shop', host: 'shop.localhost' } } });
  t.like(refused.body.facts.problems[0], { line: 4, path: 'hosts[1]' });
  t.like(await farm.api('POST', '/apps', { text: 'name: x\nprot: 1\n', baseDir: '/' }), { status: 422, body: { code: 'app-file-invalid' } });
});

test('deploying the same again: a new version, or left alone when asked to', async (t) => {
  const farm = await playFarm(t);
  await farm.api('POST', '/apps', appFile('shop'));
  const [first] = await farm.instances('shop');
  t.is((await farm.api('POST', '/apps', { ...appFile('shop'), replace: false })).body.version, 1);
  t.is((await farm.instances('shop'))[0]?.aid, first!.aid);
  t.is((await farm.api('POST', '/apps', appFile('shop'))).body.version, 2);
  await waitUntil(async () => (await farm.instances('shop')).every((one) => one.version === 2));
});

test('a removed app leaves no process, no image and no route, awake or asleep', async (t) => {
  const farm = await playFarm(t);
  for (const name of ['awake', 'asleep']) {
    await farm.api('POST', '/apps', appFile(name));
    await farm.gateway.visit(name);
    await farm.waitForEvent('templated', (event) => event.app === name);
  }
  await farm.api('POST', '/sleep', { target: 'asleep' });
  const visitor = farm.gateway.visit('awake', '/?ms=300');
  for (const name of ['awake', 'asleep']) t.is((await farm.api('DELETE', `/apps/${name}`)).status, 200);
  t.is((await visitor).status, 200, 'whom it had, it answered');
  t.is(farm.agent.running.size, 0);
  t.deepEqual(await readdir(farm.agent.images), []);
  t.deepEqual([await farm.registry.instances.list(), await farm.registry.images.list(), (await farm.registry.routes.load()).routes], [[], [], []]);
  t.is((await farm.api('DELETE', '/apps/awake')).status, 404);
});

test('the warm-up paths are visited before the template is made, and clones have them behind them', async (t) => {
  const farm = await playFarm(t);
  await farm.api('POST', '/apps', appFile('shop', 'template: { after: ready, warmup: [/, /products] }\nscale: { idleMs: never }'));
  await farm.waitForEvent('templated');
  t.is((await farm.api('POST', '/clone', { app: 'shop', count: 2 })).body.length, 2);
  await waitUntil(() => farm.gateway.routes.get('shop')?.instances.filter((one) => one.state === 'ready').length === 3);
  const visits = await Promise.all(Array.from({ length: 3 }, () => farm.gateway.visit('shop', '/?ms=100')));
  t.deepEqual(visits.map(visitsOf), [3, 3, 3]);
  t.is(new Set(visits.map((visit) => visit.aid)).size, 3);
});

test('a template of a program that had just started is made once more, without warming up, when the program has come to rest', async (t) => {
  const templateRestMs = 2_000;
  const farm = await playFarm(t, { settings: { templateRestMs } });
  await farm.api('POST', '/apps', appFile('shop', 'template: { after: ready, warmup: [/] }\nscale: { idleMs: never }'));
  const [site] = await farm.settled('shop', ['ready']);
  const rested = await waitUntil(async () => {
    const image = (await farm.registry.apps.get('shop'))?.template ?? null;
    const record = image === null ? undefined : await farm.registry.images.get(image);
    return record !== undefined && record.createdAt - site!.since >= templateRestMs ? record : undefined;
  }, { what: 'a template of the rested program' });
  // Its own visit and the one that warmed it up.
  t.is(visitsOf(await farm.gateway.visit('shop')), 2);
  const made = await farm.events('templated');
  t.is(made.at(-1)?.facts?.image, rested.id);
});

test('a program is exercised again right before its template is made once more', async (t) => {
  const farm = await playFarm(t, { settings: { templateRestMs: 3_600_000, exerciseRequests: 40, exerciseForMs: 3_600_000 } });
  await farm.api('POST', '/apps', appFile('shop', 'template: { after: ready, exercise: [/] }\nscale: { idleMs: never }'));
  await Promise.all([farm.waitForEvent('exercised'), farm.waitForEvent('templated')]);
  t.is((await farm.api('POST', '/template', { app: 'shop' })).status, 200);
  t.deepEqual((await farm.events('exercised')).map(({ facts }) => facts?.['requests']), [40, 40]);
  t.is((await farm.api('POST', '/clone', { app: 'shop', count: 1 })).body.length, 1);
  await waitUntil(() => farm.gateway.routes.get('shop')?.instances.filter((one) => one.state === 'ready').length === 2);
  const visits = await Promise.all(Array.from({ length: 2 }, () => farm.gateway.visit('shop', '/?ms=100')));
  t.deepEqual(visits.map(visitsOf), [81, 81]);
});

test('a program that has been launched is exercised before the template of its next version is made, and its clones have it behind them', async (t) => {
  const farm = await playFarm(t, { settings: { exerciseRequests: 40, exerciseForMs: 60_000 } });
  const file = (color: string): string => appFile('shop', `env: { COLOR: ${color} }\ntemplate: { after: ready, exercise: [/] }\nscale: { idleMs: never }`);
  await farm.api('POST', '/apps', file('blue'));
  t.is((await farm.waitForEvent('exercised')).facts?.['requests'], 40);
  await farm.api('POST', '/apps', file('green'));
  const { template } = (await farm.registry.apps.get('shop'))!;
  t.true((await farm.events('templated')).some((made) => made.facts?.['image'] === template));
  t.is((await farm.api('POST', '/clone', { app: 'shop', count: 1 })).body.length, 1);
  await waitUntil(() => farm.gateway.routes.get('shop')?.instances.filter((one) => one.state === 'ready').length === 2);
  const visits = await Promise.all(Array.from({ length: 2 }, () => farm.gateway.visit('shop', '/?ms=100')));
  t.deepEqual(visits.map(visitsOf), [41, 41]);
});
