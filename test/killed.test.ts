import { readFileSync } from 'node:fs';
import path from 'node:path';
import { connectRegistry } from '@appshot/registry';
import { createLogger } from '@appshot/runtime';
import { waitUntil } from '@appshot/runtime/testing';
import test from 'ava';
import { copyOfExample } from './support/app-file.js';
import { Farm, type Role } from './support/farm.js';
import { keeperOf } from './support/instance-processes.js';
import { lastingTraces } from './support/kernel-traces.js';
import { SteadyVisitor } from './support/steady-visitor.js';

const farm = new Farm();
const node = 'n1';
/** Visits so far, of the site that stays awake and of the one that sleeps. */
const visits = { awake: 0, sleepy: 0 };

test.before(async () => {
  await farm.up('--node', node);
  for (const name of ['awake', 'sleepy']) await farm.deploy(copyOfExample(farm.dir, 'node-counter', { name, lines: ['scale: { max: 1, idleMs: never }'] }));
});
test.after.always(() => farm.destroy());

/** A visit by somebody who tries again while nobody answers at all. */
async function count(site: keyof typeof visits): Promise<number> {
  const reply = await waitUntil(() => farm.visit(`${site}.test`), { what: `an answer of ${site}` });
  if (reply.status !== 200) throw new Error(`${site}: ${reply.status} ${reply.body}`);
  return (JSON.parse(reply.body) as { visits: number }).visits;
}

async function killAndSeeItBack(name: Role | 'keeper'): Promise<void> {
  const pidNow = (): number | undefined => (name === 'keeper' ? keeperOf(farm.engineDir) : farm.pidOf(name));
  const before = pidNow();
  if (before === undefined) throw new Error(`no ${name} runs`);
  process.kill(before, 'SIGKILL');
  await waitUntil(() => (pidNow() ?? before) !== before, { what: `${name} to be started again` });
}

for (const name of ['agent', 'scheduler', 'gateway', 'keeper'] as const) {
  test.serial(`kill -9 of the ${name}: it is back by itself, running sites never notice, sleeping ones wake`, async (t) => {
    t.is(await count('awake'), visits.awake += 1);
    t.is(await count('sleepy'), visits.sleepy += 1);
    await waitUntil(() => farm.appshotJson('sleep', 'sleepy'), { what: 'the site to sleep' });
    const { aid, ip, port } = await farm.instanceOf('awake');
    const direct = new SteadyVisitor(`http://${ip}:${port}/healthz`);
    direct.start();
    t.teardown(() => direct.stop());
    await waitUntil(() => direct.answered > 0);

    await killAndSeeItBack(name);
    t.is(await count('sleepy'), visits.sleepy += 1);
    t.is(await count('awake'), visits.awake += 1);
    // And the farm can do again all that it could.
    await waitUntil(() => farm.appshotJson('sleep', 'sleepy'), { what: 'the site to sleep again' });
    t.is(await count('sleepy'), visits.sleepy += 1);
    await direct.stop();
    t.deepEqual(direct.failures, []);
    t.is((await farm.instanceOf('awake')).aid, aid);
  });
}

test.serial('kill -9 of agent and scheduler in the middle of a wake: the visitor is answered all the same', async (t) => {
  for (const name of ['agent', 'scheduler', 'agent'] as const) {
    await waitUntil(() => farm.appshotJson('sleep', 'sleepy'), { what: 'the site to sleep' });
    const visitor = farm.visit('sleepy.test');
    process.kill(farm.pidOf(name), 'SIGKILL');
    const reply = await visitor;
    t.is(reply.status, 200, reply.body);
    t.deepEqual([reply.status, (JSON.parse(reply.body) as { visits: number }).visits], [200, visits.sleepy += 1]);
    await waitUntil(() => farm.ask('/health'), { what: 'the control API' });
  }
});

test.serial('all of them killed at once: everything comes back', async (t) => {
  await waitUntil(() => farm.appshotJson('sleep', 'sleepy'), { what: 'the site to sleep' });
  await Promise.all((['agent', 'scheduler', 'gateway', 'keeper'] as const).map(killAndSeeItBack));
  t.is(await count('awake'), visits.awake += 1);
  t.is(await count('sleepy'), visits.sleepy += 1);
  // Neither visitor needed the scheduler.
  await waitUntil(() => farm.ask('/health'), { what: 'the control API' });
});

test.serial('after all that, no address is held for nothing, and at the end of the farm nothing is left', async (t) => {
  const running = (await farm.ask<{ ip: string | null }[]>('/instances')).map(({ ip }) => ip);
  t.is(new Set(running).size, 2);
  const conf = readFileSync(path.join(farm.dir, 'redis/redis.conf'), 'utf8');
  const [port, password] = [/^port (\d+)$/m, /^requirepass (\S+)$/m].map((pattern) => pattern.exec(conf)?.[1]);
  const registry = await connectRegistry({ url: `redis://:${password}@127.0.0.1:${port}`, logger: createLogger('test') });
  t.teardown(() => registry.close());
  // 64 are leased in advance, and each that runs has one.
  await waitUntil(async () => (await registry.ips.heldBy(node)).length <= 64 + running.length, { what: 'the addresses of what is gone to be released' });
  await registry.close();
  t.is(await farm.end(), 0, farm.said);
  t.deepEqual(await lastingTraces(farm.dir, farm.engineDir), []);
});
