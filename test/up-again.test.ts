import test from 'ava';
import { copyOfExample } from './support/app-file.js';
import { Farm } from './support/farm.js';
import { lastingTraces } from './support/kernel-traces.js';

const farm = new Farm();

test.before(() => farm.up());
test.after.always(() => farm.destroy());

const names = ['again-node', 'again-python', 'again-nginx', 'again-c'];
const statesAndAids = async (): Promise<Record<string, string>> => Object.fromEntries(
  (await Promise.all(names.map((name) => farm.instanceOf(name)))).map(({ aid, state }) => [aid, state]));
const entries = async (): Promise<number> => Number(/<p>(\d+) entries/.exec((await farm.visit('again-python.test')).body)?.[1]);

test.serial('up, stop, up: the sites are asleep where they were, and wake with their memory; a stop leaves nothing', async (t) => {
  const lines = ['scale: { max: 1, idleMs: never }'];
  for (const [name, example] of [['again-node', 'node-counter'], ['again-python', 'python-guestbook'], ['again-nginx', 'nginx-static'], ['again-c', 'c-hello']] as const) {
    await farm.deploy(copyOfExample(farm.dir, example, { name, lines }));
  }
  const page = (await farm.visit('again-nginx.test')).body;
  for (let round = 1; round <= 2; round += 1) {
    t.is((JSON.parse((await farm.visit('again-node.test')).body) as { visits: number }).visits, round);
    t.is((await farm.visit('again-c.test')).body, `hello, visit ${round}\n`);
    await farm.visit('again-python.test', '/', { method: 'POST', body: 'name=ada&text=hi' });
    t.is(await entries(), round);
    t.is((await farm.visit('again-nginx.test')).body, page);
    const before = Object.keys(await statesAndAids());

    t.is(await farm.end(), 0, farm.said);
    t.deepEqual(await lastingTraces(farm.dir, farm.engineDir), []);
    await farm.up();
    t.deepEqual(await statesAndAids(), Object.fromEntries(before.map((aid) => [aid, 'asleep'])));
  }
});

test.serial('removed, a site leaves neither instance nor image', async (t) => {
  for (const name of names) t.is((await farm.appshot('remove', name)).status, 0);
  t.deepEqual(await farm.ask('/instances'), []);
  t.is((await farm.visit('again-node.test')).status, 404);
  t.is(await farm.end(), 0, farm.said);
  t.deepEqual(await lastingTraces(farm.dir, farm.engineDir), []);
});
