import { waitUntil } from '@appshot/runtime/testing';
import test from 'ava';
import { fixtureSite } from './support/app-file.js';
import { Farm } from './support/farm.js';
import { someLive, pidsOf } from './support/instance-processes.js';
import { Load } from './support/load.js';

const farm = new Farm();
const name = 'bursty';

test.before(() => farm.up());
test.after.always(() => farm.destroy());

const inState = async (state: string): Promise<string[]> => (await farm.instancesOf(name)).filter((row) => row.state === state).map(({ aid }) => aid);

const burst = (): Load => new Load(farm, { host: `${name}.test`, path: '/?ms=100', connections: 8 });

test('after a burst clones stand parked for the next one, which they serve; when the site sleeps they go', async (t) => {
  await farm.deploy(fixtureSite(farm.dir, ['node', 'who.mjs'], {
    name, lines: ['scale: { max: 3, concurrency: 4, p95Ms: 600000, idleMs: never }', 'template: { after: ready }'],
  }));
  await waitUntil(async () => (await farm.eventsOf(name, 'templated')).length > 0, { what: 'a template' });
  const first = burst();
  t.teardown(() => first.stop());
  await waitUntil(async () => (await inState('ready')).length === 3, { what: 'three instances' });
  await first.stop();
  const parked = await waitUntil(async () => {
    const [ready, standing] = [await inState('ready'), await inState('parked')];
    return ready.length === 1 && standing.length === 2 && standing;
  }, { what: 'the clones to go, and others to be parked' });
  await waitUntil(async () => /parked +parked\+zygote/.test((await farm.appshot('ps')).stdout), { what: 'its template to be resident' });

  const second = burst();
  t.teardown(() => second.stop());
  await waitUntil(async () => (await inState('ready')).length === 3, { what: 'three instances again' });
  t.deepEqual((await inState('ready')).filter((aid) => parked.includes(aid)).toSorted(), parked.toSorted(), 'those that stood ready');
  await waitUntil(async () => {
    const told = (await farm.eventsOf(name, 'unparked')).map(({ aid }) => aid);
    return parked.every((aid) => told.includes(aid));
  }, { what: 'both to be told' });
  await second.stop();
  t.deepEqual([...first.failed, ...second.failed], []);
  t.true(second.answered > 0);

  const pids = (await farm.instancesOf(name)).flatMap(({ aid }) => pidsOf(farm.engineDir, aid));
  await farm.appshotJson('sleep', name);
  await waitUntil(async () => (await inState('parked')).length === 0, { what: 'what is parked to go, too' });
  await waitUntil(() => !someLive(pids), { what: 'its processes to be gone' });
  t.pass();
});
