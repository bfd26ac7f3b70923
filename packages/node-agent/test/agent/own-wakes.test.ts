import { connectRegistry } from '@appshot/registry';
import { AppSpec } from '@appshot/protocol';
import { createLogger } from '@appshot/runtime';
import { startRedis } from '@appshot/runtime/testing';
import test from 'ava';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { InstanceCards } from '../../src/agent/instance-cards.js';
import { OwnWakes } from '../../src/agent/own-wakes.js';

test('without room enough a wake is begun and not decided: that is for a scheduler, who weighs', async (t) => {
  const logger = createLogger('test');
  const redis = await startRedis();
  const registry = await connectRegistry({ url: redis.url, logger });
  const dir = mkdtempSync(path.join(tmpdir(), 'appshot-own-wakes-'));
  t.teardown(async () => {
    await registry.close();
    await redis.stop();
    rmSync(dir, { recursive: true, force: true });
  });
  const [aid] = await registry.aids.next() as [string];
  await registry.apps.put(AppSpec.parse({ name: 'shop', hosts: ['shop.test'], command: ['x'], cwd: '/', port: 3000 }), 1);
  await registry.instances.create({ aid, app: 'shop', version: 1, node: 'n1', state: 'asleep', reason: 'test', now: 1 });
  const cards = new InstanceCards(dir);
  cards.admit(aid, 1, { app: 'shop', port: 3000 });

  const done: string[] = [];
  let room = false;
  const restored = new Promise<OwnWakes>((resolve) => {
    const own = new OwnWakes({
      node: 'n1', registry, cards, logger,
      engine: { beginWake: async () => { done.push('begun'); return {}; } },
      tellComing: () => undefined,
      operations: { restore: async ({ epoch }) => {
        done.push(`restored at ${epoch}`);
        resolve(own);
        return { aid, endpoint: { ip: '10.0.0.1', port: 3000 }, pids: 1, phases: {} };
      } },
      tellWoke: () => done.push('told'),
    }, () => room);
    own.visitorCame({ app: 'shop', aid });
    room = true;
    own.visitorCame({ app: 'shop', aid });
  });
  t.deepEqual(done, ['begun', 'begun']);
  // What was left for later, since no visitor waits for it, an agent that ends does at once.
  await (await restored).close();
  t.deepEqual(done, ['begun', 'begun', 'restored at 2', 'told']);
  t.like(await registry.instances.get(aid), { state: 'ready', epoch: 3 });
});
