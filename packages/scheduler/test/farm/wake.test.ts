import test from 'ava';
import { FarmError } from '@appshot/runtime';
import { waitUntil } from '@appshot/runtime/testing';
import { writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import path from 'node:path';
import { appFile, playFarm, visitsOf } from './played/played-farm.js';

test('an idle site goes to sleep, leaves no process, and its next visitor finds what it had in memory', async (t) => {
  const farm = await playFarm(t);
  t.is((await farm.api('POST', '/apps', appFile('shop', 'scale: { idleMs: 300 }'))).status, 200);
  t.is(visitsOf(await farm.gateway.visit('shop')), 1);
  t.is(visitsOf(await farm.gateway.visit('shop')), 2);
  const [asleep] = await farm.settled('shop', ['asleep']);
  t.is(farm.agent.running.size, 0);
  t.is(asleep?.endpoint, undefined);
  const visit = await farm.gateway.visit('shop');
  t.is(visitsOf(visit), 3);
  t.like(visit.woken, { kind: 'ready', how: 'restore', aid: asleep!.aid });

  const slept = await farm.waitForEvent('slept');
  t.like(slept, { aid: asleep!.aid, node: 'n1' });
  t.regex(slept.because, /idle-limit-of-the-app-file/);
  const woken = await farm.waitForEvent('woken');
  t.is(woken.because, 'a visitor came');
  t.deepEqual(Object.keys(woken.phases ?? {}), ['decide', 'spawn', 'call', 'record']);
});

test('200 visitors at once on a sleeping site are one restore and 200 answers', async (t) => {
  const farm = await playFarm(t);
  await farm.api('POST', '/apps', appFile('shop', 'scale: { idleMs: never, concurrency: 50, max: 1 }'));
  await farm.gateway.visit('shop');
  t.is((await farm.api('POST', '/sleep', { target: 'shop' })).status, 200);
  const visits = await Promise.all(Array.from({ length: 200 }, () => farm.gateway.visit('shop')));
  t.true(visits.every((visit) => visit.status === 200));
  t.deepEqual(visits.map(visitsOf).sort((a, b) => a - b), Array.from({ length: 200 }, (_, i) => i + 2));
  t.is(farm.agent.calls.filter((call) => call.startsWith('restore')).length, 1);
});

test('two schedulers asked at once restore once', async (t) => {
  const farm = await playFarm(t, { schedulers: 2 });
  await farm.api('POST', '/apps', appFile('shop'));
  await farm.api('POST', '/sleep', { target: 'shop' });
  const answers = await Promise.all(farm.schedulers.map(async ({ url }) => {
    const response = await fetch(`${url}/wake`, { method: 'POST', body: '{"target":"shop"}', headers: { 'content-type': 'application/json' } });
    return { status: response.status, body: await response.json() as { aid: string }[] };
  }));
  t.deepEqual(answers.map((answer) => answer.status), [200, 200]);
  t.is(answers[0]?.body[0]?.aid, answers[1]?.body[0]?.aid);
  t.is(farm.agent.calls.filter((call) => call.startsWith('restore')).length, 1);
  t.is((await farm.events('woken')).length, 1);
});

test('a visitor at every moment of going to sleep is answered, and the memory goes on', async (t) => {
  const farm = await playFarm(t);
  await farm.api('POST', '/apps', appFile('shop'));
  await farm.gateway.visit('shop');
  farm.agent.snapshotMs = 80;
  farm.agent.startMs = 30;
  for (let round = 2; round < 22; round++) {
    const snapshots = (): number => farm.agent.calls.filter((call) => call.startsWith('snapshot')).length;
    const before = snapshots();
    let isAsleep = false;
    const sleeping = farm.api('POST', '/sleep', { target: 'shop' }).finally(() => { isAsleep = true; });
    // Any moment, and every other time one in the middle of the snapshot.
    if (round % 2 === 0) await delay((round * 13) % 110);
    else await waitUntil(() => snapshots() > before || isAsleep, { everyMs: 1, what: 'its snapshot to begin' });
    const visit = await farm.gateway.visit('shop');
    t.is(visit.status, 200);
    t.is(visitsOf(visit), round);
    t.is((await sleeping).status, 200);
    t.is((await farm.api('POST', '/wake', { target: 'shop' })).status, 200);
  }
  t.true(farm.agent.calls.some((call) => call.startsWith('cancelSnapshot')));
  t.true((await farm.events('drain-cancelled')).length > 0);
  t.is((await farm.instances('shop')).length, 1);
});

test('a damaged image is said to be damaged, and the site is launched anew', async (t) => {
  const farm = await playFarm(t);
  await farm.api('POST', '/apps', appFile('shop'));
  await farm.gateway.visit('shop');
  await farm.api('POST', '/sleep', { target: 'shop' });
  const [asleep] = await farm.instances('shop');
  await writeFile(path.join(farm.agent.images, asleep!.aid), 'im');
  const visit = await farm.gateway.visit('shop');
  t.is(visitsOf(visit), 1);
  t.like(visit.woken, { kind: 'ready', how: 'launch' });
  t.like(await farm.waitForEvent('failed'), { aid: asleep!.aid, facts: { code: 'image-invalid' } });
  const launched = await farm.waitForEvent('launched', (event) => event.because.includes('damaged'));
  t.not(launched.aid, asleep!.aid);
  await farm.settled('shop', ['ready']);
});

test('a restore that fails once is tried again; one that goes on failing is refused with its reason', async (t) => {
  const farm = await playFarm(t);
  await farm.api('POST', '/apps', appFile('shop'));
  await farm.api('POST', '/sleep', { target: 'shop' });
  farm.agent.failures.push({ verb: 'restore', error: new FarmError('internal', 'a passing fault'), times: 1 });
  t.is((await farm.gateway.visit('shop')).status, 200);
  await farm.api('POST', '/sleep', { target: 'shop' });
  farm.agent.failures.push({ verb: 'restore', error: new FarmError('disk-full', 'the disk is full'), times: 99 });
  const refused = await farm.gateway.visit('shop');
  t.is(refused.status, 503);
  t.like(refused.woken, { kind: 'refused', because: 'the disk is full' });
  t.true(refused.woken?.kind === 'refused' && refused.woken.retryAfterS >= 1);
  t.like(await farm.waitForEvent('refused'), { app: 'shop', because: 'the disk is full' });
  farm.agent.failures.length = 0;
  t.is((await farm.gateway.visit('shop')).status, 200, 'its image is still there');
});

test('a site that crashed is started again by its next visitor, from its template', async (t) => {
  const farm = await playFarm(t);
  await farm.api('POST', '/apps', appFile('shop'));
  await farm.gateway.visit('shop');
  await farm.waitForEvent('templated');
  const [first] = await farm.instances('shop');
  await farm.agent.crash(first!.aid);
  await farm.settled('shop', []);
  t.like(await farm.waitForEvent('lost'), { aid: first!.aid });
  const visit = await farm.gateway.visit('shop');
  t.like(visit.woken, { how: 'clone' });
  t.is(visitsOf(visit), 2);
});

test('an app that cannot be saved runs on, and the reason is named', async (t) => {
  const farm = await playFarm(t);
  farm.agent.failures.push({ verb: 'snapshot', error: new FarmError('unsupported-state', 'fd 12 is an io_uring; not supported', { facts: { resources: ['fd 12'] } }), times: 99 });
  await farm.api('POST', '/apps', appFile('shop', 'scale: { idleMs: 200 }'));
  await farm.gateway.visit('shop');
  const failed = await farm.waitForEvent('failed', (event) => event.because.includes('runs on'));
  t.like(failed, { facts: { code: 'unsupported-state', resources: ['fd 12'] } });
  await waitUntil(() => farm.gateway.routes.get('shop')?.instances.some((one) => one.state === 'ready'), { what: 'the gateway to hear of it' });
  t.is((await farm.gateway.visit('shop')).woken, null);
  t.is((await farm.api('POST', '/sleep', { target: 'shop' })).status, 422);
  await farm.settled('shop', ['ready']);
});

test('with no memory left, a less important idle site makes room; nothing less important is a refusal', async (t) => {
  const farm = await playFarm(t);
  await farm.api('POST', '/apps', appFile('small', 'priority: 10\nscale: { idleMs: 60000 }'));
  await farm.api('POST', '/apps', appFile('big', 'priority: 200\nscale: { idleMs: 60000 }'));
  // Until the node has said what each uses, a guess is planned with.
  await waitUntil(async () => ((await farm.api('GET', '/instances')).body as { memoryBytes: number }[]).every((one) => one.memoryBytes > 0));
  await farm.api('POST', '/sleep', { target: 'big' });
  farm.agent.availableBytes = 8e9 * 0.05 + 60e6;
  const since = Date.now();
  // Two beats on, the scheduler has heard the first, however busy this machine is.
  await waitUntil(async () => (await farm.api('GET', '/nodes')).body[0].seenAt > since + 500);
  t.is((await farm.gateway.visit('big')).status, 200);
  await farm.settled('small', ['asleep']);
  t.like(await farm.waitForEvent('slept', (event) => event.app === 'small'), { because: 'made room for big (priority 200)' });
});
