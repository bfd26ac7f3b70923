import test from 'ava';
import { waitUntil } from '@appshot/runtime/testing';
import { appFile, playFarm } from './played/played-farm.js';

test('clones that were parked are the first to serve when more are wanted', async (t) => {
  const farm = await playFarm(t);
  await farm.api('POST', '/apps', appFile('shop', 'scale: { max: 4, idleMs: never }\ntemplate: { after: ready }'));
  await farm.waitForEvent('templated');
  t.like(await farm.api('POST', '/clone', { app: 'shop', count: 2, parked: true }), { status: 200 });
  const parked = (await farm.settled('shop', ['ready', 'parked', 'parked'])).slice(1).map(({ aid }) => aid);
  t.deepEqual((await farm.api('GET', '/instances')).body.map((row: { tier: string }) => row.tier), ['awake', 'parked', 'parked']);
  t.false(farm.gateway.routes.get('shop')!.instances.some((one) => parked.includes(one.aid) && one.state === 'ready'));
  // More of them are wanted: those that stand ready come first.
  const more = await farm.api('POST', '/clone', { app: 'shop', count: 1 });
  t.is(more.body[0].aid, parked[0]);
  t.is((await farm.waitForEvent('unparked')).aid, parked[0]);
  // By hand, as an instance is woken.
  t.like(await farm.api('POST', '/wake', { target: parked[1] }), { status: 200 });
  await farm.settled('shop', ['ready', 'ready', 'ready']);
  t.is(farm.agent.parked.size, 0);
});

test('a visitor of an app of which only a parked clone is left gets it', async (t) => {
  const farm = await playFarm(t);
  await farm.api('POST', '/apps', appFile('shop', 'scale: { max: 4, idleMs: never }\ntemplate: { after: ready }'));
  await farm.waitForEvent('templated');
  const [first] = await farm.instances('shop');
  const { body: [clone] } = await farm.api('POST', '/clone', { app: 'shop', count: 1, parked: true });
  await farm.agent.crash(first!.aid);
  await waitUntil(async () => (await farm.instances('shop')).every((one) => one.aid !== first!.aid), { what: 'the crash to be noticed' });
  await waitUntil(() => farm.gateway.routes.get('shop')?.instances.every((one) => one.aid !== first!.aid), { what: 'the gateway to hear of it' });
  t.like(await farm.gateway.visit('shop'), { status: 200, aid: clone.aid });
});

test('a template stays resident while its app is awake and can be cloned, and what is parked goes to sleep with the app', async (t) => {
  const farm = await playFarm(t);
  await farm.api('POST', '/apps', appFile('shop', 'scale: { max: 4, idleMs: never }\ntemplate: { after: ready }'));
  await waitUntil(() => farm.agent.zygotes.has('shop'), { what: 'the template to be resident' });
  await farm.api('POST', '/clone', { app: 'shop', count: 1, parked: true });
  await farm.api('POST', '/sleep', { target: 'shop' });
  await farm.settled('shop', ['asleep']);
  await waitUntil(() => !farm.agent.zygotes.has('shop'), { what: 'the template to be let go' });
  t.is(farm.agent.running.size, 0);
});
