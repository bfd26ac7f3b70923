import { setTimeout as delay } from 'node:timers/promises';
import { waitUntil } from '@appshot/runtime/testing';
import test from 'ava';
import { copyOfExample } from './support/app-file.js';
import { Farm } from './support/farm.js';

const farm = new Farm();
const awayMs = 10_000;
const visits = { awake: 0, sleepy: 0 };

test.before(async () => {
  await farm.up();
  for (const name of ['awake', 'sleepy']) await farm.deploy(copyOfExample(farm.dir, 'node-counter', { name, lines: ['scale: { max: 1, idleMs: never }'] }));
});
test.after.always(() => farm.destroy());

async function visit(site: keyof typeof visits): Promise<[number, number]> {
  const { status, body } = await farm.visit(`${site}.test`);
  if (status !== 200) throw new Error(`${site}: ${status} ${body}`);
  return [status, (JSON.parse(body) as { visits: number }).visits];
}

for (const server of ['redis', 'nats'] as const) {
  test.serial(`${server} away for ten seconds: who is awake is served, who comes to a sleeping site waits, nothing is lost`, async (t) => {
    t.deepEqual(await visit('awake'), [200, visits.awake += 1]);
    t.deepEqual(await visit('sleepy'), [200, visits.sleepy += 1]);
    await farm.appshotJson('sleep', 'sleepy');
    const pid = farm.pidOf(server);
    process.kill(pid, 'SIGSTOP');
    const back = delay(awayMs).finally(() => process.kill(pid, 'SIGCONT'));
    let isBack = false;
    void back.then(() => { isBack = true; });
    const held = visit('sleepy');
    while (!isBack) {
      t.deepEqual(await visit('awake'), [200, visits.awake += 1]);
      await delay(100);
    }
    t.deepEqual(await held, [200, visits.sleepy += 1]);
    // All as before: it can sleep and wake again.
    await waitUntil(() => farm.appshotJson('sleep', 'sleepy'), { what: 'the site to sleep again' });
    t.deepEqual(await visit('sleepy'), [200, visits.sleepy += 1]);
    t.is((await farm.instancesOf('sleepy')).length, 1);
  });

  test.serial(`kill -9 of ${server}: it is started again, and the farm goes on`, async (t) => {
    const aids = [(await farm.instanceOf('awake')).aid, (await farm.instanceOf('sleepy')).aid];
    await farm.appshotJson('sleep', 'sleepy');
    // Redis writes to disk every second, or two when the disk is slow: what is younger may be lost with it.
    if (server === 'redis') await delay(3_000);
    const pid = farm.pidOf(server);
    process.kill(pid, 'SIGKILL');
    t.deepEqual(await visit('awake'), [200, visits.awake += 1]);
    t.deepEqual(await visit('sleepy'), [200, visits.sleepy += 1]);
    t.not(farm.pidOf(server), pid);
    await waitUntil(() => farm.appshotJson('sleep', 'sleepy'), { what: 'the site to sleep again' });
    t.deepEqual(await visit('sleepy'), [200, visits.sleepy += 1]);
    t.deepEqual([(await farm.instanceOf('awake')).aid, (await farm.instanceOf('sleepy')).aid], aids);
  });
}
