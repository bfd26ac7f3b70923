import { waitUntil } from '@appshot/runtime/testing';
import test from 'ava';
import { copyOfExample } from './support/app-file.js';
import { Farm } from './support/farm.js';

const farm = new Farm();
const visitors = 200;

test.before(() => farm.up());
test.after.always(() => farm.destroy());

const visitsIn = (body: string): number => (JSON.parse(body) as { visits: number }).visits;

test.serial('200 visitors at once on a sleeping site are all answered, by one restore', async (t) => {
  const name = 'crowd';
  // One instance only: with clones, there would be several counters.
  await farm.deploy(copyOfExample(farm.dir, 'node-counter', { name, lines: ['scale: { max: 1, idleMs: never }'] }));
  for (let round = 0; round < 2; round += 1) {
    await farm.appshotJson('sleep', name);
    const replies = await Promise.all(Array.from({ length: visitors }, () => farm.visit(`${name}.test`)));
    t.deepEqual(replies.filter(({ status }) => status !== 200), []);
    const numbers = replies.map(({ body }) => visitsIn(body)).sort((a, b) => a - b);
    t.deepEqual(numbers, Array.from({ length: visitors }, (_, index) => round * visitors + index + 1));
    t.is((await farm.instancesOf(name)).length, 1);
  }
  // The history is written after the visitors have been answered.
  await waitUntil(async () => (await farm.eventsOf(name, 'woken')).length >= 2, { what: 'both wakes to be told' });
  t.is((await farm.eventsOf(name, 'woken')).length, 2);
  t.is((await farm.eventsOf(name, 'launched')).length, 1);
});

test.serial('visitors of sleeping sites do not wait for each other', async (t) => {
  const names = Array.from({ length: 6 }, (_, index) => `many-${index}`);
  for (const name of names) await farm.deploy(copyOfExample(farm.dir, 'c-hello', { name, lines: ['scale: { max: 1, idleMs: never }'] }));
  await Promise.all(names.map((name) => farm.visit(`${name}.test`)));
  await Promise.all(names.map((name) => farm.appshotJson('sleep', name)));
  const replies = await Promise.all(names.map((name) => farm.visit(`${name}.test`)));
  t.deepEqual(replies.map(({ status, body }) => [status, body]), names.map(() => [200, 'hello, visit 2\n']));
});
