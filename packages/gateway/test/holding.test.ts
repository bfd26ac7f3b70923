import { instanceRestored, type Route, visitorCame, type WakeReply } from '@appshot/protocol';
import { waitUntil } from '@appshot/runtime/testing';
import test from 'ava';
import { visit } from './support/client.js';
import { Sites } from './support/sites.js';
import { TestFarm, type TestGateway } from './support/test-farm.js';

const farm = new TestFarm();
let gateway: TestGateway;
let impatient: TestGateway;
const sites = new Sites(farm, () => gateway);
const answers: Record<string, () => Promise<WakeReply> | WakeReply> = {};
let wakes: string[];
/** Wakes that the scheduler has not answered yet. At the end it answers all, for its server waits for them. */
const unanswered: { app: string; resolve: (reply: WakeReply) => void }[] = [];
const hangFor = (app: string) => (): Promise<WakeReply> => new Promise((resolve) => unanswered.push({ app, resolve }));
const answerAll = (is: (app: string) => boolean, reply: WakeReply): void => unanswered.filter(({ app }) => is(app)).forEach(({ resolve }) => resolve(reply));

test.before(async () => {
  await farm.start();
  gateway = await farm.gateway({ maxHeld: 300, wakeAskAgainMs: 30_000 });
  impatient = await farm.gateway({ wakeAskAgainMs: 700 });
  wakes = await farm.onWake(answers);
});
test.after.always(async () => {
  answerAll(() => true, { kind: 'refused', because: 'the end', retryAfterS: 1 });
  await farm.close();
  await sites.close();
});

const wakesOf = (app: string): number => wakes.filter((woken) => woken === app).length;
const phases = { decide: 0.2, fill: 1.5 };

test('200 visitors at once wake a sleeping site once, and all are answered', async (t) => {
  const upstream = await sites.upstream((_incoming, response) => void response.end('awake'));
  const { app, host } = await farm.deploy();
  const aid = await farm.instance(app, 'asleep');
  await sites.known(host);
  answers[app] = async () => {
    await waitUntil(() => (farm.lastReport(app)?.held ?? 0) === 200, { what: 'all visitors to wait' });
    await farm.become(aid, 'asleep', 'restoring');
    const epoch = await farm.become(aid, 'restoring', 'ready', upstream.endpoint);
    return { kind: 'ready', aid, epoch, endpoint: upstream.endpoint, how: 'restore', phases };
  };
  const all = await Promise.all(Array.from({ length: 200 }, () => visit(gateway, host)));
  t.true(all.every((answer) => answer.status === 200 && answer.text === 'awake'));
  t.is(wakesOf(app), 1);
  t.is(upstream.requests, 200);
  await farm.reported(app, (report) => report.inFlight === 0 && report.held === 0);
});

test('visitors go to an instance that its agent says is back, before anybody has recorded it; a later transition ends that', async (t) => {
  const upstream = await sites.upstream((_incoming, response) => void response.end('back'));
  const { app, host } = await farm.deploy();
  const aid = await farm.instance(app, 'asleep');
  await sites.known(host);
  answers[app] = async () => {
    const epoch = await farm.become(aid, 'asleep', 'restoring');
    // Told again, for the gateway may not have heard of the instance at all yet.
    await waitUntil(() => {
      farm.bus.publish(instanceRestored, { how: 'restore', node: 'n1', app, aid, epoch, endpoint: upstream.endpoint, phases: { decide: 0.2, fill: 1.5 } });
      return upstream.requests > 0;
    }, { what: 'the visitor to be sent on' });
    return hangFor(app)();
  };
  const answer = await visit(gateway, host);
  t.is(answer.text, 'back');
  t.regex(String(answer.headers['server-timing']), /^wake;desc=restore;dur=[\d.]+, hold;dur=[\d.]+, decide;dur=0.2, fill;dur=1.5, reply;dur=[\d.]+$/);
  await farm.become(aid, 'restoring', 'ready', upstream.endpoint);
  t.is((await visit(gateway, host)).text, 'back');
  t.is(upstream.connections, 1, 'the record of it changes nothing');
  await farm.become(aid, 'ready', 'draining');
  await farm.become(aid, 'draining', 'ready', upstream.endpoint);
  farm.bus.publish(instanceRestored, { how: 'restore', node: 'n1', app, aid, epoch: 2, endpoint: { ip: '127.0.0.1', port: 1 }, phases: {} });
  t.is((await visit(gateway, host)).text, 'back', 'an agent\'s word of the past counts no more');
});

test('a site that its own agent wakes is asked of no scheduler; one whose agent says nothing is', async (t) => {
  const upstream = await sites.upstream((_incoming, response) => void response.end('back'));
  const { app, host } = await farm.deploy();
  const aid = await farm.instance(app, 'asleep');
  // Started now: it knows the site and that it sleeps.
  const patient = await farm.gateway({ agentDecidesWithinMs: 30_000 });
  const came = await farm.bus.subscribe(visitorCame, async (visitor) => {
    if (visitor.aid !== aid) return;
    const epoch = await farm.become(aid, 'asleep', 'restoring');
    farm.bus.publish(instanceRestored, { how: 'restore', node: 'n1', app, aid, epoch, endpoint: upstream.endpoint, phases: { decide: 0.2, fill: 1.5 } });
    await farm.become(aid, 'restoring', 'ready', upstream.endpoint);
  });
  t.is((await visit(patient, host)).text, 'back');
  t.is(wakesOf(app), 0);
  await came.stop();
  t.true((await patient.metrics.registry.metrics()).split('\n').some((line) => ['appshot_gateway_wake_seconds_count', 'phase="fill"'].every((part) => line.includes(part))));

  const silent = await farm.deploy();
  await farm.instance(silent.app, 'asleep');
  await sites.known(silent.host);
  answers[silent.app] = () => ({ kind: 'refused', because: 'asked', retryAfterS: 1 });
  t.is((await visit(gateway, silent.host)).status, 503);
  t.is(wakesOf(silent.app), 1);
});

test('a wake\'s answer is used before the route feed has it, and its time and phases are told', async (t) => {
  const upstream = await sites.upstream((_incoming, response) => void response.end('early'));
  const { app, host } = await farm.deploy();
  const [aid] = await farm.registry.aids.next();
  await sites.known(host);
  answers[app] = () => ({ kind: 'ready', aid: aid!, epoch: 3, endpoint: upstream.endpoint, how: 'restore', phases });
  const answer = await visit(gateway, host);
  t.is(answer.text, 'early');
  t.regex(String(answer.headers['server-timing']), /^wake;desc=restore;dur=[\d.]+, hold;dur=[\d.]+, decide;dur=0.2, fill;dur=1.5, reply;dur=[\d.]+$/);
  t.is((await visit(gateway, host)).headers['server-timing'], undefined);
  t.is(wakesOf(app), 1);
});

test('the route feed alone releases those who wait', async (t) => {
  const upstream = await sites.upstream((_incoming, response) => void response.end('fed'));
  const { app, host } = await farm.deploy();
  const aid = await farm.instance(app, 'launching');
  await sites.known(host);
  answers[app] = hangFor(app);
  const answer = visit(gateway, host);
  await farm.reported(app, (report) => report.held === 1);
  await farm.become(aid, 'launching', 'ready', upstream.endpoint);
  t.is((await answer).text, 'fed');
});

test('an instance is never given more at a time than its concurrency', async (t) => {
  const most = [0, 0];
  const now = [0, 0];
  const two = await Promise.all([0, 1].map((n) => sites.upstream((_incoming, response) => {
    most[n] = Math.max(most[n]!, (now[n]! += 1));
    setTimeout(() => {
      now[n]! -= 1;
      response.end('x');
    }, 3);
  })));
  const { app, host } = await farm.deployReady(two[0]!.endpoint, { concurrency: 3 });
  await farm.instance(app, 'ready', two[1]!.endpoint);
  await sites.known(host);
  await waitUntil(async () => {
    await visit(gateway, host);
    return two.every((upstream) => upstream.requests > 0);
  }, { what: 'both instances' });
  const all = await Promise.all(Array.from({ length: 120 }, () => visit(gateway, host)));
  t.true(all.every((answer) => answer.status === 200));
  t.deepEqual(most, [3, 3]);
  t.true(two.every((upstream) => upstream.requests > 40), 'both did their share');
  t.is(wakesOf(app), 0);
  t.true(all.some((answer) => /^hold;dur=/.test(String(answer.headers['server-timing']))));
});

test('a site that cannot be woken is a 503 that says why and when to come again', async (t) => {
  const { app, host } = await farm.deploy();
  await farm.instance(app, 'asleep');
  await sites.known(host);
  answers[app] = () => ({ kind: 'refused', because: 'no node has room', retryAfterS: 7 });
  const all = await Promise.all([visit(gateway, host), visit(gateway, host)]);
  for (const answer of all) {
    t.is(answer.status, 503);
    t.is(answer.headers['retry-after'], '7');
    t.is(answer.headers['x-appshot-problem'], 'cannot-wake');
    t.regex(answer.text, /no node has room/);
  }
});

test('whoever waits longer than the route allows is told', async (t) => {
  const { app, host } = await farm.deploy({ readyWithinMs: 100 });
  await sites.known(host);
  await sites.known(host, impatient);
  answers[app] = hangFor(app);
  const since = performance.now();
  const answer = await visit(impatient, host);
  t.is(answer.status, 503);
  t.is(answer.headers['x-appshot-problem'], 'hold-timeout');
  t.truthy(answer.headers['retry-after']);
  const [route] = (await farm.registry.routes.load()).routes.filter((each: Route) => each.app === app);
  t.true(performance.now() - since >= route!.holdMs);
  t.true(wakesOf(app) > 1, 'a wake that is not answered is asked for again');
});

test('when too many wait the next is sent away at once', async (t) => {
  const { app, host } = await farm.deploy();
  await sites.known(host);
  answers[app] = hangFor(app);
  const waiting = Array.from({ length: 300 }, () => visit(gateway, host));
  await farm.reported(app, (report) => report.held === 300);
  const answer = await visit(gateway, host);
  t.is(answer.status, 503);
  t.is(answer.headers['x-appshot-problem'], 'queue-full');
  answerAll((each) => each === app, { kind: 'refused', because: 'done', retryAfterS: 1 });
  t.true((await Promise.all(waiting)).every(({ status }) => status === 503));
});

test('a visitor who gives up no longer waits, and the others keep their places', async (t) => {
  const order: string[] = [];
  const upstream = await sites.upstream((incoming, response) => {
    order.push(incoming.url!);
    response.end('x');
  });
  const { app, host } = await farm.deploy({ concurrency: 1 });
  await sites.known(host);
  answers[app] = hangFor(app);
  const controller = new AbortController();
  const waiting: Promise<unknown>[] = [];
  for (const path of ['/1', '/2', '/3']) {
    waiting.push(visit(gateway, host, path, path === '/2' ? { signal: controller.signal } : {}).catch(() => 'left'));
    await farm.reported(app, (report) => report.held === waiting.length);
  }
  controller.abort();
  await waitUntil(() => farm.lastReport(app)?.held === 2, { what: 'one to leave' });
  const [aid] = await farm.registry.aids.next();
  answerAll((each) => each === app, { kind: 'ready', aid: aid!, epoch: 1, endpoint: upstream.endpoint, how: 'launch', phases });
  await Promise.all(waiting);
  t.deepEqual(order, ['/1', '/3']);
});

test('a scheduler that comes late or dies over a wake costs a visitor only time', async (t) => {
  const upstream = await sites.upstream((_incoming, response) => void response.end('late'));
  const { app, host } = await farm.deploy();
  const [aid] = await farm.registry.aids.next();
  await sites.known(host, impatient);
  let asked = 0;
  answers[app] = () => {
    asked += 1;
    return asked === 1 ? hangFor(app)() : { kind: 'ready', aid: aid!, epoch: 2, endpoint: upstream.endpoint, how: 'restore', phases };
  };
  t.is((await visit(impatient, host)).text, 'late');
  t.true(asked >= 2, `${asked}`);
});

test('those who wait for a site that is removed are told', async (t) => {
  const { app, host } = await farm.deploy();
  await sites.known(host);
  answers[app] = hangFor(app);
  const answer = visit(gateway, host);
  await farm.reported(app, (report) => report.held === 1);
  await farm.registry.apps.remove(app);
  t.is((await answer).status, 404);
  t.is((await visit(gateway, host)).headers['x-appshot-problem'], 'unknown-host');
});

test('a request with a body waits with it, and brings it whole', async (t) => {
  const upstream = await sites.upstream((incoming, response) => {
    let length = 0;
    incoming.on('data', (chunk: Buffer) => (length += chunk.length)).on('end', () => response.end(String(length)));
  });
  const { app, host } = await farm.deploy();
  const [aid] = await farm.registry.aids.next();
  await sites.known(host);
  answers[app] = async () => {
    await farm.reported(app, (report) => report.held === 1);
    return { kind: 'ready', aid: aid!, epoch: 2, endpoint: upstream.endpoint, how: 'restore', phases };
  };
  t.is((await visit(gateway, host, '/', { method: 'POST', body: Buffer.alloc(1_000_000) })).text, '1000000');
});
