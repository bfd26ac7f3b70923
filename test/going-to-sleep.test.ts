import { setTimeout as delay } from 'node:timers/promises';
import { waitUntil } from '@appshot/runtime/testing';
import test from 'ava';
import { copyOfExample } from './support/app-file.js';
import { Farm } from './support/farm.js';

const farm = new Farm();

test.before(() => farm.up());
test.after.always(() => farm.destroy());

const moments = 24;

interface Kind { readonly example: string; readonly ask: (host: string) => ReturnType<Farm['visit']>; readonly countOf: (body: string) => number }

const kinds: Record<string, Kind> = {
  'node': { example: 'node-counter', ask: (host) => farm.visit(host), countOf: (body) => (JSON.parse(body) as { visits: number }).visits },
  'c': { example: 'c-hello', ask: (host) => farm.visit(host), countOf: (body) => Number(/visit (\d+)/.exec(body)?.[1]) },
};

/**
 * While a site is told to sleep, visitors come at moments spread over the whole of it: draining, saving, asleep, waking. How
 * long that takes is learnt from the first time.
 */
for (const [kind, { example, ask, countOf }] of Object.entries(kinds)) {
  test.serial(`a visitor at any moment of going to sleep is answered, and the site remembers it (${kind})`, async (t) => {
    const name = `edge-${kind}`;
    const sleep = (): Promise<Response> => fetch(`${farm.api}/sleep`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ target: name }) });
    await farm.deploy(copyOfExample(farm.dir, example, { name, lines: ['scale: { max: 1, idleMs: never }'] }));
    // The gateway hears of it a moment after the deploy.
    await waitUntil(async () => (await ask(`${name}.test`)).status === 200, { what: `${name} to be served` });
    let visits = 1;
    const begunAt = performance.now();
    await sleep();
    const sleepMs = performance.now() - begunAt;
    for (let moment = 0; moment < moments; moment += 1) {
      if ((await ask(`${name}.test`)).status === 200) visits += 1;
      const sleeping = sleep();
      await delay(sleepMs * 1.5 * moment / moments);
      // A second one comes while the first is being served or waits.
      const replies = await Promise.all([ask(`${name}.test`), delay(sleepMs / 10).then(() => ask(`${name}.test`))]);
      t.deepEqual(replies.map(({ status }) => status), [200, 200]);
      const counted = replies.map(({ body }) => countOf(body));
      // Why, if not: the last events tell whether it was started anew.
      const told = counted.includes(visits + 1) ? '' : JSON.stringify((await farm.eventsOf(name)).slice(-8));
      t.deepEqual(counted.sort((a, b) => a - b), [visits + 1, visits + 2], told);
      visits += 2;
      await (await sleeping).text();
    }
    const types = new Set((await farm.eventsOf(name)).map(({ type }) => type));
    t.true(types.has('woken') && types.has('slept'));
    t.is((await farm.instancesOf(name)).length, 1);
  });
}

test.serial('a site that falls asleep by itself all the time answers everybody', async (t) => {
  const name = 'edge-drowsy';
  await farm.deploy(copyOfExample(farm.dir, 'node-counter', { name, lines: ['scale: { max: 1, idleMs: 100 }'] }));
  for (let visits = 1; visits <= 40; visits += 1) {
    const reply = await farm.visit(`${name}.test`);
    t.deepEqual([reply.status, (JSON.parse(reply.body) as { visits: number }).visits], [200, visits]);
    // Spread over the idle time, the tick of the scheduler (200 ms) and the snapshot.
    await delay(100 + (visits * 37) % 400);
  }
});
