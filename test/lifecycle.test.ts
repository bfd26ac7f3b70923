import { readdirSync } from 'node:fs';
import path from 'node:path';
import { waitUntil } from '@appshot/runtime/testing';
import test, { type ExecutionContext } from 'ava';
import { copyOfExample } from './support/app-file.js';
import { Farm, type InstanceRow } from './support/farm.js';
import { engineMemory, pidsOf, someLive } from './support/instance-processes.js';

const farm = new Farm();
const rounds = 3;
const quickToSleep = 'scale: { idleMs: 500 }';

test.before(() => farm.up());
test.after.always(() => farm.destroy());

interface Site {
  readonly example: string;
  /** One visit, and what it says of the visits before it. */
  readonly visit: (host: string) => Promise<number>;
  readonly processes: number;
}

const numberIn = (body: string, pattern: RegExp): number => Number(pattern.exec(body)?.[1] ?? NaN);

async function signed(host: string): Promise<number> {
  const reply = await farm.visit(host, '/', { method: 'POST', body: 'name=ada&text=hello', headers: { 'content-type': 'application/x-www-form-urlencoded' } });
  if (reply.status !== 303) throw new Error(`${reply.status} ${reply.body}`);
  return numberIn((await farm.visit(host)).body, /<p>(\d+) entries/);
}

const sites: Record<string, Site> = {
  'a Node.js site': { example: 'node-counter', processes: 1, visit: async (host) => numberIn((await farm.visit(host)).body, /"visits":(\d+)/) },
  'a Python site': { example: 'python-guestbook', processes: 1, visit: signed },
  'a C site': { example: 'c-hello', processes: 1, visit: async (host) => numberIn((await farm.visit(host)).body, /visit (\d+)/) },
};

/** So many, once the copy that a template is taken from has gone; none when it was quicker to sleep than we are. */
const processesOf = (aid: string, count: number): Promise<number[]> => waitUntil(async () => {
  const pids = pidsOf(farm.engineDir, aid);
  if (pids.length === count) return pids;
  return (await farm.ask<InstanceRow[]>('/instances')).some((row) => row.aid === aid && row.state === 'asleep') && [];
}, { what: `${count} processes of ${aid}` });

async function untilAsleep(t: ExecutionContext, name: string, pids: readonly number[]): Promise<void> {
  const [asleep] = await farm.untilAll(name, 'asleep');
  t.is(asleep?.pids, 0);
  await waitUntil(() => !someLive(pids), { what: `the processes of ${name} to be gone` });
}

const ballastMb = 64;

test.serial('the memory of a sleeping site is free, and all there when it wakes', async (t) => {
  const name = 'life-heavy';
  await farm.deploy(copyOfExample(farm.dir, 'node-counter', { name, lines: ['scale: { idleMs: never }'] }, { 'NODE_ENV: production': `BALLAST_MB: "${ballastMb}"` }));
  const first = JSON.parse((await farm.visit(`${name}.test`)).body) as { ballast: number };
  const awakeBytes = await waitUntil(() => {
    const bytes = engineMemory(farm.engineDir);
    return bytes > ballastMb * 1_000_000 && bytes;
  }, { what: 'its memory to be seen' });
  await farm.appshotJson('sleep', name);
  await waitUntil(() => engineMemory(farm.engineDir) < awakeBytes - ballastMb * 1_000_000, { what: 'the memory to be free' });
  const again = JSON.parse((await farm.visit(`${name}.test`)).body) as { ballast: number };
  t.is(again.ballast, first.ballast);
});

for (const [title, { example, visit, processes }] of Object.entries(sites)) {
  test(`${title} falls asleep when nobody comes, leaves no process, and goes on counting when somebody does`, async (t) => {
    const name = `life-${example}`;
    await farm.deploy(copyOfExample(farm.dir, example, { name, lines: [quickToSleep] }));
    const { aid } = await farm.instanceOf(name);
    for (let round = 1; round <= rounds; round += 1) {
      t.is(await visit(`${name}.test`), round);
      const pids = await processesOf(aid, processes);
      await untilAsleep(t, name, pids);
      t.is((await farm.instanceOf(name)).aid, aid);
    }
    // It may have slept once before its first visitor, too: events tell of each time.
    await waitUntil(async () => (await farm.eventsOf(name, 'woken')).length === (await farm.eventsOf(name, 'slept')).length - 1, { what: 'a wake for every sleep but the last' });
  });
}

test('nginx with its master and two workers sleeps and serves its files again', async (t) => {
  const name = 'life-nginx';
  await farm.deploy(copyOfExample(farm.dir, 'nginx-static', { name, lines: [quickToSleep] }));
  const { aid } = await farm.instanceOf(name);
  const first = await farm.visit(`${name}.test`);
  t.is(first.status, 200);
  for (let round = 1; round <= rounds; round += 1) {
    const again = await farm.visit(`${name}.test`);
    t.deepEqual([again.status, again.body], [200, first.body]);
    const unchanged = await farm.visit(`${name}.test`, '/', { headers: { 'if-none-match': String(first.headers.etag) } });
    t.is(unchanged.status, 304);
    const pids = await processesOf(aid, 3);
    await untilAsleep(t, name, pids);
  }
});

test('a session goes on after sleep in a compressed image, and what was awake is said in the answer of the visit that woke it', async (t) => {
  const name = 'life-session';
  await farm.deploy(copyOfExample(farm.dir, 'node-counter', { name, lines: ['scale: { idleMs: never }', 'snapshot: { compress: zstd }'] }));
  const { aid } = await farm.instanceOf(name);
  const cookie = String((await farm.visit(`${name}.test`)).headers['set-cookie']?.[0]?.split(';')[0]);
  await farm.appshotJson('sleep', name);
  t.true(readdirSync(path.join(farm.engineDir, 'images', aid)).includes('pages.zst'), 'its image is compressed');
  const woken = await farm.visit(`${name}.test`, '/', { headers: { cookie } });
  t.is((JSON.parse(woken.body) as { yourVisits: number }).yourVisits, 2);
  t.regex(String(woken.headers['server-timing']), /^wake;desc=restore;dur=/);
  const awake = await farm.visit(`${name}.test`, '/', { headers: { cookie } });
  t.is((JSON.parse(awake.body) as { yourVisits: number }).yourVisits, 3);
  t.is(awake.headers['server-timing'], undefined);
});
