import test from 'ava';
import { setTimeout as delay } from 'node:timers/promises';
import { waitUntil } from '@appshot/runtime/testing';
import { tierTuning } from '../../src/policy/decide-tiers.js';
import { appFile, playFarm, visitsOf } from './played/played-farm.js';

// Not by response times, which depend on the machine.
const busyFile = 'scale: { idleMs: never, concurrency: 4, max: 5, p95Ms: 600000 }';

test('under load clones come up, every one answers; when the load stops they go without one failed request', async (t) => {
  const farm = await playFarm(t);
  await farm.api('POST', '/apps', appFile('shop', busyFile));
  await farm.gateway.visit('shop');
  await farm.waitForEvent('templated');
  const answered = new Map<string, number>();
  let running = true;
  const visitors = Array.from({ length: 20 }, async () => {
    while (running) {
      const visit = await farm.gateway.visit('shop', '/?ms=50');
      t.is(visit.status, 200);
      answered.set(visit.aid!, (answered.get(visit.aid!) ?? 0) + 1);
    }
  });
  const full = await farm.settled('shop', ['ready', 'ready', 'ready', 'ready', 'ready']);
  await waitUntil(() => answered.size === 5, { what: 'every clone to have answered' });
  t.is(new Set(full.map((one) => one.aid)).size, 5);
  const first = full[0]!.aid;
  running = false;
  await Promise.all(visitors);

  // A few visitors go on coming while the clones go.
  const late = (async () => {
    for (let i = 0; i < 150; i++) {
      t.is((await farm.gateway.visit('shop')).status, 200);
      await delay(100);
    }
  })();
  // Others are made only to stand parked for the next burst.
  const awake = async (): Promise<string[]> => (await farm.instances('shop')).filter((one) => one.state !== 'parked' && one.state !== 'cloning').map((one) => one.aid);
  await waitUntil(async () => (await awake()).length === 1, { what: 'the clones to go' });
  await late;
  t.deepEqual(await awake(), [first], 'the instance that was there first stays');
  await waitUntil(() => farm.agent.running.size <= 1 + tierTuning.parkedAtMost, { what: 'only those that stand parked to be left' });
  // Some of the later ones may have stood parked after the first of them were made.
  const grown = [...await farm.events('cloned'), ...await farm.events('unparked')];
  t.true(grown.length >= 4 && grown.every((event) => event.because.length > 0 && Object.keys(event.phases ?? {}).length > 2), JSON.stringify(grown));
  // Who stood parked for long goes, too.
  for (const { because } of await farm.events('retired')) t.regex(because, /^(more instances were awake than the load needs$|nothing of it is to be kept parked)/);
});

test('two schedulers side by side make no clone twice', async (t) => {
  const farm = await playFarm(t, { schedulers: 2 });
  await farm.api('POST', '/apps', appFile('shop', 'scale: { idleMs: never, concurrency: 10, max: 20, p95Ms: 600000 }'));
  await farm.gateway.visit('shop');
  await farm.waitForEvent('templated');
  // 20 at once on an instance that takes 10 and is planned with 7: two more are wanted, and on a slow machine a third when
  // requests still wait then. Decided twice it would be four more.
  await Promise.all(Array.from({ length: 20 }, () => farm.gateway.visit('shop', '/?ms=2500')));
  // Those that are made to stand parked for the next burst are not meant.
  const states = await waitUntil(async () => {
    const now = await farm.states('shop');
    return now.every((state) => state === 'ready' || state === 'parked') && now;
  }, { what: 'all that were begun to be there' });
  const { length } = states.filter((state) => state === 'ready');
  t.true(length === 3 || length === 4, states.join());
});

test('min instances are awake without a visitor, and again after one has crashed', async (t) => {
  const farm = await playFarm(t);
  await farm.api('POST', '/apps', appFile('shop', 'scale: { min: 2 }\ntemplate: { after: ready }'));
  const [one] = await farm.settled('shop', ['ready', 'ready']);
  await farm.agent.crash(one!.aid);
  await farm.waitForEvent('lost');
  await farm.settled('shop', ['ready', 'ready']);
  t.is((await farm.api('POST', '/sleep', { target: 'shop' })).status, 200);
  await delay(600);
  t.deepEqual(await farm.states('shop'), ['asleep', 'asleep'], 'what somebody put to sleep by hand stays asleep');
  t.is(visitsOf(await farm.gateway.visit('shop')), 1);
  await farm.settled('shop', ['ready', 'ready']);
});

test('several gateways count as one load, and one that died counts no more', async (t) => {
  const farm = await playFarm(t);
  await farm.api('POST', '/apps', appFile('shop', 'scale: { idleMs: 400 }'));
  const report = { gateway: 'gw-dead', app: 'shop', inFlight: 3, held: 0, arrived: 3, lastActiveAt: Date.now(), at: Date.now(), instances: [] };
  // It lives for as long as the test needs it.
  const beat = (): Promise<void> => farm.registry.gateways.heartbeat('gw-dead', Date.now());
  await beat();
  const beating = setInterval(() => void beat().catch(() => undefined), 500);
  t.teardown(() => clearInterval(beating));
  farm.bus.publish({ subject: 'appshot.traffic', body: (await import('@appshot/protocol')).Traffic }, report);
  await waitUntil(async () => (await farm.api('GET', '/top')).body.apps[0].inFlight === 3);
  t.is((await farm.gateway.visit('shop')).status, 200);
  await waitUntil(async () => (await farm.api('GET', '/top')).body.apps[0].inFlight === 3);
  t.deepEqual(await farm.states('shop'), ['ready'], 'what the other gateway has in flight keeps the site awake');
  clearInterval(beating);
  await farm.settled('shop', ['asleep']);
  t.is((await farm.api('GET', '/top')).body.apps[0].inFlight, 0);
});
