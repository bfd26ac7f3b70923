import { waitUntil } from '@appshot/runtime/testing';
import test from 'ava';
import fc from 'fast-check';
import { TrafficSplit } from '../src/site/traffic-split.js';
import { visit } from './support/client.js';
import { Sites } from './support/sites.js';
import { TestFarm, type TestGateway } from './support/test-farm.js';

test('of any hundred requests in a row, exactly the share goes to the version on trial', (t) => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 99 }), fc.nat(500), (percent, before) => {
    const split = new TrafficSplit({ version: 2, percent });
    for (let i = 0; i < before; i += 1) split.next();
    return Array.from({ length: 100 }, () => split.next()).filter(Boolean).length === percent;
  }));
  t.pass();
});

const farm = new TestFarm();
let gateway: TestGateway;
const sites = new Sites(farm, () => gateway);

test.before(async () => {
  await farm.start();
  gateway = await farm.gateway();
});
test.after.always(async () => {
  await farm.close();
  await sites.close();
});

test('requests are shared out between the versions, and nobody waits for one that cannot answer', async (t) => {
  const [old, fresh] = await Promise.all(['old', 'fresh'].map((text) => sites.upstream((_, response) => void response.end(text))));
  const { app, host } = await farm.deployReady(old!.endpoint);
  const { spec } = (await farm.registry.apps.get(app))!;
  const [aid] = await farm.registry.aids.next();
  await farm.registry.instances.create({ aid: aid!, app, version: 2, node: 'n1', state: 'ready', reason: 'test', now: Date.now(), endpoint: fresh!.endpoint });
  await farm.registry.apps.setTrial(app, 1, { spec, version: 2, deployedAt: 1, template: null, percent: 20 });
  const ask = async (): Promise<string> => (await visit(gateway, host)).text;
  await waitUntil(async () => (await ask()) === 'fresh', { what: 'the trial to be known' });
  const answers = [];
  for (let i = 0; i < 50; i += 1) answers.push(await ask());
  t.is(answers.filter((text) => text === 'fresh').length, 10);

  await farm.become(aid!, 'ready', 'draining');
  await waitUntil(async () => (await Promise.all(Array.from({ length: 10 }, ask))).every((text) => text === 'old'), { what: 'all to be answered by the old version' });
});
