import type { WakeReply } from '@appshot/protocol';
import { waitUntil } from '@appshot/runtime/testing';
import test from 'ava';
import { visit } from './support/client.js';
import { Sites } from './support/sites.js';
import { TestFarm, type TestGateway } from './support/test-farm.js';

const farm = new TestFarm();
let gateway: TestGateway;
const sites = new Sites(farm, () => gateway);
const answers: Record<string, () => Promise<WakeReply> | WakeReply> = {};

test.before(async () => {
  await farm.start();
  gateway = await farm.gateway();
  await farm.onWake(answers);
});
test.after.always(async () => {
  await farm.close();
  await sites.close();
});

const awayMs = 10_000;

test('Redis and NATS away for ten seconds: ready sites answer, a sleeping one wakes when they are back', async (t) => {
  const ready = await sites.http((_incoming, response) => void response.end('ready'));
  const upstream = await sites.upstream((_incoming, response) => void response.end('woken'));
  const sleeping = await farm.deploy();
  const aid = await farm.instance(sleeping.app, 'asleep');
  await sites.known(sleeping.host);
  answers[sleeping.app] = async () => {
    await farm.become(aid, 'asleep', 'restoring');
    return { kind: 'ready', aid, epoch: await farm.become(aid, 'restoring', 'ready', upstream.endpoint), endpoint: upstream.endpoint, how: 'restore', phases: {} };
  };
  t.is((await visit(gateway, ready.host)).text, 'ready');

  await Promise.all([farm.nats.kill(), farm.redis.kill()]);
  const waking = visit(gateway, sleeping.host);
  const until = performance.now() + awayMs;
  let visits = 0;
  while (performance.now() < until) {
    const answer = await visit(gateway, ready.host);
    t.is(answer.text, 'ready');
    visits += 1;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  t.true(visits > 10, `${visits}`);
  await Promise.all([farm.nats.start(), farm.redis.start()]);

  const answer = await waking;
  t.is(answer.status, 200);
  t.is(answer.text, 'woken');
  await waitUntil(async () => (await farm.registry.gateways.live(Date.now())).includes(gateway.id), { what: 'the heartbeat to go on' });
  await farm.reported(ready.app, (report) => report.inFlight === 0);
  const other = await sites.http((_incoming, response) => void response.end('new'));
  t.is((await visit(gateway, other.host)).text, 'new');
});
