import test from 'ava';
import type { ExposedPort } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import { codeOf } from './support/code-of.js';
import { registryOf } from './support/registry-of.js';
import { specOf } from './support/spec-of.js';

const range = { first: 21_000, last: 21_003 };
const exposing = (...ports: [port: number, farmPort?: number][]): ExposedPort[] =>
  ports.map(([port, farmPort]) => ({ port, protocol: 'tcp', silentMs: 0, ...(farmPort !== undefined && { farmPort }) }));

test('an app gets the farm ports that it names and free ones for the rest, and keeps them', async (t) => {
  const { registry } = await registryOf(t);
  const given = await registry.ports.claim('db', exposing([5432], [5433, 21_000], [6379, 9_999]), range);
  t.deepEqual(given.map(({ port, farmPort }) => [port, farmPort]), [[5432, 21_001], [5433, 21_000], [6379, 9_999]]);
  t.deepEqual(await registry.ports.claim('db', exposing([5432], [6379]), range).then((again) => again.map(({ farmPort }) => farmPort)), [21_001, 9_999]);
  t.deepEqual(await registry.ports.list(), [{ farmPort: 9_999, app: 'db', port: 6379 }, { farmPort: 21_000, app: 'db', port: 5433 }, { farmPort: 21_001, app: 'db', port: 5432 }]);
  t.deepEqual(await registry.ports.get(21_001), { farmPort: 21_001, app: 'db', port: 5432 });
  t.is(await registry.ports.get(21_002), undefined);
});

test('a farm port has one owner, who is named; what is refused is refused as a whole', async (t) => {
  const { registry } = await registryOf(t);
  await registry.ports.claim('db', exposing([5432, 15_432]), range);
  const error = await t.throwsAsync(registry.ports.claim('thief', exposing([80], [81, 15_432]), range), { instanceOf: FarmError });
  t.like(error, { code: 'port-in-use', facts: { farmPort: 15_432, owner: 'db' } });
  t.deepEqual(await registry.ports.ofApp('thief'), []);
  t.is(await codeOf(registry.ports.claim('many', exposing([1], [2], [3], [4], [5]), range)), 'no-room');
  t.deepEqual(await registry.ports.ofApp('many'), []);
});

test('many who claim at once get a port each, and removing an app frees its ports', async (t) => {
  const { registry } = await registryOf(t);
  const apps = ['a', 'b', 'c', 'd'];
  const given = await Promise.all(apps.map(async (app) => (await registry.ports.claim(app, exposing([80]), range))[0]!.farmPort));
  t.deepEqual(given.sort(), [21_000, 21_001, 21_002, 21_003]);
  await registry.apps.put(specOf('b'), 1);
  await registry.apps.remove('b');
  await registry.ports.release('c');
  const [kept] = await registry.ports.claim('a', exposing([81]), range);
  await registry.ports.release('a', { but: [kept!.farmPort!] });
  t.deepEqual(await registry.ports.ofApp('a'), [{ farmPort: kept!.farmPort!, app: 'a', port: 81 }]);
  t.deepEqual((await registry.ports.list()).map(({ app }) => app).sort(), ['a', 'd']);
});
