import { drain, type WakeReply } from '@appshot/protocol';
import test from 'ava';
import { freePort, patienceMs, waitUntil } from '@appshot/runtime/testing';
import { RawClient, visit } from './support/client.js';
import { Sites } from './support/sites.js';
import { TestFarm, type TestGateway } from './support/test-farm.js';
import { Upstream } from './support/upstream.js';

const farm = new TestFarm();
let gateway: TestGateway;
const sites = new Sites(farm, () => gateway);
const answers: Record<string, () => Promise<WakeReply> | WakeReply> = {};
let wakes: string[];

test.before(async () => {
  await farm.start();
  gateway = await farm.gateway({ refusedForMs: 1_500 });
  wakes = await farm.onWake(answers);
});
test.after.always(async () => {
  await farm.close();
  await sites.close();
});

const askDrain = (app: string, aid: string, epoch: number, withinMs = patienceMs): Promise<{ kind: string; inFlight?: number }> =>
  farm.bus.call(drain(gateway.id), { app, aid, epoch, withinMs }, { timeoutMs: 2 * patienceMs });
const wakesOf = (app: string): number => wakes.filter((woken) => woken === app).length;

test('an instance that refuses connections is reported, and another answers in its place', async (t) => {
  const dead = { ip: '127.0.0.1', port: await freePort() };
  const { app, host } = await farm.deployReady(dead);
  const upstream = await sites.upstream((_incoming, response) => void response.end('alive'));
  await farm.instance(app, 'ready', upstream.endpoint);
  answers[app] = () => ({ kind: 'refused', because: 'not needed', retryAfterS: 1 });
  await sites.known(host);
  for (let round = 0; round < 30; round += 1) {
    const answer = await visit(gateway, host, '/', round % 2 === 0 ? {} : { method: 'POST', body: 'some' });
    t.is(answer.text, 'alive');
  }
  const report = await farm.reported(app, ({ instances }) => instances.some(({ failed }) => failed > 0));
  t.true(report.instances.some(({ failed }) => failed > 0));
});

test('an instance that is just going away and wakes elsewhere costs its visitor only time', async (t) => {
  const upstream = await sites.upstream((incoming, response) => void incoming.pipe(response));
  const { app, host, aid } = await farm.deployReady({ ip: '127.0.0.1', port: await freePort() });
  let asked = 0;
  answers[app] = (): WakeReply => {
    asked += 1;
    // The first scheduler has not noticed yet.
    if (asked === 1) return { kind: 'ready', aid, epoch: 1, endpoint: { ip: '127.0.0.1', port: 1 }, how: 'already', phases: {} };
    return { kind: 'ready', aid, epoch: 5, endpoint: upstream.endpoint, how: 'restore', phases: { fill: 1 } };
  };
  await sites.known(host);
  const all = await Promise.all(Array.from({ length: 20 }, (_, n) => visit(gateway, host, '/', { method: 'POST', body: `body ${n}` })));
  t.deepEqual(all.map(({ text }) => text), all.map((_, n) => `body ${n}`));
});

test('an instance that the farm calls ready and that goes on refusing is a 502 in the end', async (t) => {
  const endpoint = { ip: '127.0.0.1', port: await freePort() };
  const { app, host, aid } = await farm.deployReady(endpoint);
  answers[app] = () => ({ kind: 'ready', aid, epoch: 1, endpoint, how: 'already', phases: {} });
  await sites.known(host);
  const answer = await visit(gateway, host);
  t.is(answer.status, 502);
  t.regex(answer.text, /accepts no connection \(ECONNREFUSED\)/);
  t.truthy(answer.headers['retry-after']);
  t.true(wakesOf(app) >= 1 && wakesOf(app) < 100, `${wakesOf(app)} wakes`);
  const upstream = await new Upstream((_incoming, response) => void response.end('back')).start(endpoint.port);
  await waitUntil(async () => (await visit(gateway, host)).text === 'back', { what: 'the instance to be tried again' });
  await upstream.close();
});

test('a drain is answered when nothing is in flight and no connection is open, and nothing more is sent', async (t) => {
  let finish = (): void => {}, finishFirst: (() => void) | undefined;
  const { app, host, aid, upstream } = await sites.http((incoming, response) => {
    if (incoming.url === '/slow') finish = () => response.end('slow');
    else if (finishFirst === undefined) finishFirst = () => response.end('quick');
    else {
      finishFirst();
      response.end('quick');
    }
  });
  answers[app] = () => ({ kind: 'refused', because: 'it sleeps', retryAfterS: 1 });
  // At the same time, so that there are two connections.
  await Promise.all([visit(gateway, host), visit(gateway, host)]);
  const slow = visit(gateway, host, '/slow');
  await waitUntil(() => upstream.requests === 3, { what: 'the slow request' });
  t.true(upstream.sockets.size >= 2);
  const epoch = await farm.become(aid, 'ready', 'draining');
  let drained = false;
  const draining = askDrain(app, aid, epoch).then((reply) => {
    drained = true;
    return reply;
  });
  await waitUntil(() => upstream.sockets.size === 1, { what: 'idle connections to close' });
  t.is((await visit(gateway, host)).headers['x-appshot-problem'], 'cannot-wake');
  t.false(drained);
  finish();
  t.is((await slow).text, 'slow');
  t.deepEqual(await draining, { kind: 'drained' });
  await waitUntil(() => upstream.sockets.size === 0, { what: 'the last connection to close' });
  t.is(upstream.requests, 3);
});

test('a drain that cannot be done in time says what is in flight', async (t) => {
  const { app, host, aid } = await sites.http(() => {});
  const client = new RawClient(gateway).send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  await farm.reported(app, (report) => report.instances.some(({ inFlight }) => inFlight === 1));
  t.deepEqual(await askDrain(app, aid, await farm.become(aid, 'ready', 'draining'), 50), { kind: 'busy', inFlight: 1 });
  client.close();
});

test('a drain is believed before the route feed, and only a higher epoch ends it', async (t) => {
  const { app, host, aid, upstream } = await sites.http((_incoming, response) => void response.end('ok'));
  answers[app] = () => ({ kind: 'refused', because: 'drained', retryAfterS: 1 });
  t.is((await visit(gateway, host)).status, 200);
  t.deepEqual(await askDrain(app, aid, 2), { kind: 'drained' });
  // What is told of epoch 1 or 2 is of the past; the registry still has epoch 1.
  t.is((await visit(gateway, host)).status, 503);
  answers[app] = () => ({ kind: 'ready', aid, epoch: 2, endpoint: upstream.endpoint, how: 'already', phases: {} });
  const late = visit(gateway, host);
  await waitUntil(() => wakesOf(app) >= 3, { what: 'it to ask again' });
  answers[app] = () => ({ kind: 'ready', aid, epoch: 3, endpoint: upstream.endpoint, how: 'already', phases: {} });
  t.is((await late).status, 200);
  t.is((await askDrain(app, aid, 2, 2_000)).kind, 'busy');
  t.is((await visit(gateway, host)).status, 200);
});

test('a drain that a visitor ends is busy, and the visitor is answered', async (t) => {
  let finish = (): void => {};
  const { app, host, aid, upstream } = await sites.http((incoming, response) => {
    if (incoming.url === '/slow') finish = () => response.end('slow');
    else response.end('ok');
  });
  const slow = visit(gateway, host, '/slow');
  await waitUntil(() => upstream.requests === 1, { what: 'the slow request' });
  const draining = askDrain(app, aid, await farm.become(aid, 'ready', 'draining'));
  answers[app] = async () => ({ kind: 'ready', aid, epoch: await farm.become(aid, 'draining', 'ready'), endpoint: upstream.endpoint, how: 'already', phases: {} });
  t.is((await visit(gateway, host)).text, 'ok');
  t.is((await draining).kind, 'busy');
  finish();
  t.is((await slow).text, 'slow');
});

test('a drain of what this gateway never heard of is done', async (t) => {
  const [aid] = await farm.registry.aids.next();
  t.deepEqual(await askDrain('nobody', aid!, 1), { kind: 'drained' });
  const { app } = await sites.http((_incoming, response) => void response.end());
  t.deepEqual(await askDrain(app, aid!, 1), { kind: 'drained' });
});

test('visitors all the while an instance drains, sleeps and wakes see no error', async (t) => {
  let upstream = await new Upstream((_incoming, response) => void response.end('ok')).start();
  const { app, host, aid } = await farm.deployReady(upstream.endpoint, { concurrency: 4 });
  await sites.known(host);
  let waking: Promise<WakeReply> | undefined;
  const wakeUp = async (): Promise<WakeReply> => {
    const record = (await farm.registry.instances.get(aid))!;
    if (record.state === 'ready') return { kind: 'ready', aid, epoch: record.epoch, endpoint: upstream.endpoint, how: 'already', phases: {} };
    if (record.state === 'draining') return { kind: 'ready', aid, epoch: await farm.become(aid, 'draining', 'ready'), endpoint: upstream.endpoint, how: 'already', phases: {} };
    await waitUntil(async () => (await farm.registry.instances.get(aid))!.state === 'asleep', { what: 'it to be asleep' });
    upstream = await new Upstream((_incoming, response) => void response.end('ok')).start();
    await farm.become(aid, 'asleep', 'restoring');
    return { kind: 'ready', aid, epoch: await farm.become(aid, 'restoring', 'ready', upstream.endpoint), endpoint: upstream.endpoint, how: 'restore', phases: { fill: 1 } };
  };
  answers[app] = () => (waking ??= wakeUp().finally(() => (waking = undefined)));
  let over = false;
  let slept = 0;
  const sleeper = (async () => {
    while (!over) {
      const { state } = (await farm.registry.instances.get(aid))!;
      if (state !== 'ready') {
        await new Promise((resolve) => setTimeout(resolve, 1));
        continue;
      }
      const reply = await askDrain(app, aid, await farm.become(aid, 'ready', 'draining'), 200);
      const asleep = reply.kind === 'drained' && (await farm.become(aid, 'draining', 'snapshotting').then(() => true, () => false));
      if (!asleep) {
        await farm.become(aid, 'draining', 'ready').catch(() => undefined);
        continue;
      }
      await upstream.close();
      await farm.become(aid, 'snapshotting', 'asleep');
      slept += 1;
    }
  })();
  const statuses = new Map<number, number>();
  const visitor = async (n: number): Promise<void> => {
    for (let round = 0; round < 60; round += 1) {
      const { status } = await visit(gateway, host, '/', n % 2 === 0 ? {} : { method: 'POST', body: 'x' });
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (round % 10 === n % 10) await new Promise((resolve) => setTimeout(resolve, 15));
    }
  };
  await Promise.all(Array.from({ length: 6 }, (_, n) => visitor(n)));
  over = true;
  await sleeper;
  await upstream.close();
  t.deepEqual([...statuses], [[200, 360]]);
  t.true(slept > 3, `slept ${slept} times`);
});
