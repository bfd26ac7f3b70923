import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { nodeLoad } from '@appshot/protocol';
import { connectRegistry } from '@appshot/registry';
import { connectBus, createLogger, FarmError, freePort } from '@appshot/runtime';
import { patienceMs } from '@appshot/runtime/testing';
import test, { type ExecutionContext } from 'ava';
import { ChildPids } from '../src/up/child-pids.js';
import { ChildRole } from '../src/up/child-role.js';
import { openFarmDir, type FarmDir } from '../src/up/farm-dir.js';
import { natsChild } from '../src/up/nats-child.js';
import { redisChild, type ServerChild } from '../src/up/redis-child.js';

const logger = createLogger('test');
logger.level = 'silent';

function farmDir(t: ExecutionContext): FarmDir {
  const dir = mkdtempSync(path.join(tmpdir(), 'appshot-servers-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return openFarmDir(dir);
}

async function started(t: ExecutionContext, farm: FarmDir, { spec }: ServerChild): Promise<ChildRole> {
  const child = new ChildRole(spec, { pids: new ChildPids(farm.run), logger, events: { died: () => undefined, restarted: () => undefined } });
  t.teardown(() => child.stop(patienceMs));
  await child.start();
  return child;
}

test('Redis asks for its password, keeps it out of its command line, and saves when it ends', async (t) => {
  const farm = farmDir(t);
  const first = await started(t, farm, redisChild(farm, await freePort(), 'secret'));
  await first.stop(patienceMs);
  const { spec, url } = redisChild(farm, await freePort(), 'another');
  await started(t, farm, { spec, url });
  t.false(spec.command.join(' ').includes('another'));
  t.is(statSync(path.join(farm.redis, 'redis.conf')).mode & 0o777, 0o600);
  const registry = await connectRegistry({ url, logger });
  t.teardown(() => registry.close());
  await registry.ping();
  const stranger = await t.throwsAsync(connectRegistry({ url: url.replace('another', 'wrong'), logger, withinMs: 500 }), { instanceOf: FarmError });
  t.is(stranger.code, 'unavailable');
});

test('NATS is open only to those who know its password', async (t) => {
  const farm = farmDir(t);
  const { spec, url } = natsChild(farm, await freePort(), 'secret');
  await started(t, farm, { spec, url });
  const bus = await connectBus({ url, name: 'test', logger });
  t.teardown(() => bus.close());
  await (await bus.subscribe(nodeLoad, () => undefined)).stop();
  await t.throwsAsync(connectBus({ url: url.replace('secret', 'wrong'), name: 'test', logger, withinMs: 300 }), { instanceOf: FarmError });
});
