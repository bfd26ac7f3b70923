import { patienceMs, waitUntil } from '@appshot/runtime/testing';
import test from 'ava';
import type { AppRecord } from '@appshot/protocol';
import { fixtureSite } from './support/app-file.js';
import { Farm } from './support/farm.js';
import { Load } from './support/load.js';

const farm = new Farm();
const name = 'painted';

// Few, and however long they take.
test.before(() => farm.up('--set', 'scheduler.exerciseRequests=40', '--set', 'scheduler.exerciseForMs=3600000'));
test.after.always(() => farm.destroy());

/** A version of the site by the color that its environment says. */
const version = (color: string): string => fixtureSite(farm.dir, ['node', 'who.mjs'], {
  name, lines: [`env: { COLOR: ${color} }`, 'scale: { max: 6, concurrency: 8, p95Ms: 600000, idleMs: never }', 'template: { warmup: [/, /] }'],
});

const colorOf = (body: string): string => (JSON.parse(body) as { color: string }).color;
const visit = async (): Promise<string> => colorOf((await farm.visit(`${name}.test`)).body);
const record = async (): Promise<AppRecord> => (await farm.ask<AppRecord[]>('/apps')).find(({ spec }) => spec.name === name)!;

/** Until so many visits in a row are answered by that version: gateways hear of a switch a moment later. */
const untilAll = (color: string): Promise<unknown> => waitUntil(async () => (await Promise.all(Array.from({ length: 10 }, visit))).every((one) => one === color), { what: `only ${color}` });

test.serial('a version is tried on a share of the visitors, becomes the current one, and is rolled back, without one failed request', async (t) => {
  await farm.deploy(version('red'));
  await visit();
  const load = new Load(farm, { host: `${name}.test`, path: '/?ms=5', connections: 4 });
  t.teardown(() => load.stop());

  const trial = await farm.appshotJson<AppRecord>('deploy', version('green'), '--percent', '25');
  t.like(trial, { version: 1, trial: { version: 2, percent: 25 } });
  t.truthy(trial.trial!.template, 'it has a template before anybody is sent to it');
  await load.stop();
  // Alone, so that the share can be counted; the first ones may still go by the old route.
  await waitUntil(async () => (await visit()) === 'green', { what: 'a visitor at the new version' });
  const colors = [];
  for (let i = 0; i < 40; i += 1) colors.push(await visit());
  t.is(colors.filter((color) => color === 'green').length, 10);
  t.regex((await farm.appshot('apps')).stdout, /2 at 25 %/);

  const again = new Load(farm, { host: `${name}.test`, path: '/?ms=5', connections: 4 });
  t.teardown(() => again.stop());
  t.like(await farm.appshotJson('rollout', name, '--percent', '100'), { version: 2, trial: null, previous: { version: 1 } });
  await untilAll('green');
  const green = await waitUntil(async () => {
    const rows = await farm.instancesOf(name);
    return rows.length === 1 && rows[0];
  }, { what: 'the old version to go' });

  t.like(await farm.appshotJson('rollback', name), { version: 3, spec: { env: { COLOR: 'red' } }, previous: { version: 2 } });
  await untilAll('red');
  await waitUntil(async () => (await farm.instancesOf(name)).every(({ aid }) => aid !== green.aid), { what: 'the version that was rolled back to go' });
  t.is((await farm.eventsOf(name, 'launched')).length, 2, 'a rollback starts from the template, not from the command');
  await again.stop();
  t.deepEqual([...load.failed, ...again.failed], []);
  t.true(load.answered > 0 && again.answered > 0);
});

test.serial('a new version that does not come up, or cannot be warmed up, changes nothing', async (t) => {
  const before = await record();
  const broken = fixtureSite(farm.dir, ['node', 'who.mjs'], { name, lines: ['env: { COLOR: blue }', 'template: { warmup: [/broken] }'] });
  const { status, stderr } = await farm.appshot('deploy', broken);
  t.is(status, 1);
  t.regex(stderr, /warm-up path \/broken/);
  t.deepEqual(await record(), before);
  t.is(await visit(), colorOf((await farm.visit(`${name}.test`)).body));
  await waitUntil(async () => (await farm.instancesOf(name)).every((one) => one.state === 'ready'), { what: 'nothing of it to be left' });
  t.is((await farm.instancesOf(name)).length, 1);
});

test.serial('a trial is taken back by a rollback, and without one there is nothing to shift', async (t) => {
  const { version: current } = await record();
  await farm.appshotJson('deploy', version('green'), '--percent', '50');
  await waitUntil(async () => (await visit()) === 'green', { what: 'a visitor at the new version' });
  t.like(await farm.appshotJson('rollback', name), { version: current, trial: null });
  await untilAll('red');
  const { status, stderr } = await farm.appshot('rollout', name, '--percent', '10');
  t.is(status, 1);
  t.regex(stderr, /no version of painted is on trial/);
  t.is((await farm.appshot('rollout', name, '--percent', '101')).status, 2);
});

test.serial('a version and a template that is made again are exercised before: clones have that behind them, and no connection of it', async (t) => {
  const file = (color: string): string => fixtureSite(farm.dir, ['node', 'who.mjs'], {
    name: 'trained', lines: [`env: { COLOR: ${color} }`, 'scale: { max: 3, idleMs: never }', 'template: { exercise: [/] }'],
  });
  await farm.deploy(file('red'));
  await farm.deploy(file('green'));
  const { aid } = await farm.instanceOf('trained');
  const visitsOfClone = async (): Promise<number> => {
    t.is((await farm.appshot('clone', 'trained', '--count', '1')).status, 0);
    const { ip, port } = (await farm.untilAll('trained', 'ready')).findLast((row) => row.aid !== aid)!;
    const reply = await fetch(`http://${ip}:${port}/`, { signal: AbortSignal.timeout(patienceMs), headers: { connection: 'close' } });
    return ((await reply.json()) as { visits: number }).visits;
  };
  t.is(await visitsOfClone(), 41);
  const { image } = await farm.appshotJson<{ image: string }>('template', 'trained');
  const { resources } = await farm.appshotJson<{ resources: readonly { type: string; identity: string }[] }>('inspect', image);
  t.deepEqual(resources.filter(({ type }) => type === 'connection'), []);
  t.true(await visitsOfClone() > 80);
});
