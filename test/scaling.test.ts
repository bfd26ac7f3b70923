import { waitUntil } from '@appshot/runtime/testing';
import test from 'ava';
import { fixtureSite } from './support/app-file.js';
import { Farm, type InstanceRow } from './support/farm.js';
import { Load } from './support/load.js';

const farm = new Farm();

test.before(() => farm.up());
test.after.always(() => farm.destroy());

interface Who { readonly hostName: string; readonly address: string; readonly bytes: string; readonly visits: number }

/** Past the gateway. */
const askDirectly = async ({ ip, port }: InstanceRow): Promise<Who> => await (await fetch(`http://${ip}:${port}/`)).json() as Who;

const allDiffer = (values: readonly unknown[]): boolean => new Set(values).size === values.length;

test.serial('load brings clones, each its own; without it they go, and no request fails', async (t) => {
  const name = 'busy';
  await farm.deploy(fixtureSite(farm.dir, ['node', 'who.mjs'], { name, lines: ['scale: { max: 4, concurrency: 4, p95Ms: 600000, idleMs: never }'] }));
  const { aid: original } = await farm.instanceOf(name);
  const load = new Load(farm, { host: `${name}.test`, path: '/?ms=100', connections: 16 });
  t.teardown(() => load.stop());
  const grown = await waitUntil(async () => {
    const ready = (await farm.instancesOf(name)).filter(({ state }) => state === 'ready');
    return ready.length === 4 && ready;
  }, { what: 'four instances' });
  t.true(allDiffer(grown.map(({ aid }) => aid)));
  t.true(allDiffer(grown.map(({ ip }) => ip)));

  const answers = await Promise.all(grown.map(askDirectly));
  t.deepEqual(answers.map(({ hostName }) => hostName), grown.map(({ aid }) => aid));
  t.deepEqual(answers.map(({ address }) => address), grown.map(({ ip }) => ip));
  t.true(allDiffer(answers.map(({ bytes }) => bytes)));
  // The gateway sends visitors to each of them.
  const seen = new Set<string>();
  await waitUntil(async () => seen.add((JSON.parse((await farm.visit(`${name}.test`, '/?ms=50')).body) as Who).hostName).size === 4, { what: 'an answer from each' });

  await load.stop();
  // One visitor stays: what it asks while the others go is answered, too.
  const one = new Load(farm, { host: `${name}.test`, path: '/?ms=20', connections: 1 });
  t.teardown(() => one.stop());
  const left = await waitUntil(async () => {
    // For the next burst some stand parked.
    const rows = (await farm.instancesOf(name)).filter(({ state }) => state !== 'parked');
    return rows.length === 1 && rows;
  }, { what: 'the clones to go' });
  await one.stop();
  t.deepEqual([...load.failed, ...one.failed], []);
  t.true(load.answered > 0 && one.answered > 0);
  t.is(left[0]?.aid, original);
  t.is((await farm.eventsOf(name, 'cloned')).length, 3);
  t.is((await farm.eventsOf(name, 'launched')).length, 1);
});

test.serial('clones that are asked for start with what the original has in memory, and then go their own ways', async (t) => {
  const name = 'asked';
  await farm.deploy(fixtureSite(farm.dir, ['node', 'who.mjs'], { name, lines: ['scale: { min: 3, max: 3, idleMs: never }', 'template: { after: ready, warmup: [/, /] }'] }));
  await farm.appshot('clone', name, '--count', '2');
  const rows = await waitUntil(async () => {
    const ready = (await farm.instancesOf(name)).filter(({ state }) => state === 'ready');
    return ready.length === 3 && ready;
  }, { what: 'three instances' });
  const counts = await Promise.all(rows.map(async (row) => (await askDirectly(row)).visits));
  t.deepEqual(counts, [3, 3, 3]);
});
