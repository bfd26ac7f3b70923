import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { appFile, playFarm, visitsOf, type PlayedFarm } from './played/played-farm.js';

const script = fileURLToPath(new URL('played/scheduler-process.mjs', import.meta.url));

async function spawnScheduler(t: ExecutionContext, farm: PlayedFarm): Promise<{ child: ChildProcess; url: string }> {
  const settings = { redisUrl: farm.redis.url, natsUrl: farm.nats.url, api: '127.0.0.1:0', reconcileEveryMs: 500 };
  const child = spawn(process.execPath, ['--import=tsx', script, JSON.stringify(settings)], { stdio: ['ignore', 'pipe', 'ignore'] });
  t.teardown(() => child.kill('SIGKILL'));
  const [url] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return { child, url };
}

test('kill -9 of the scheduler at any moment: every visitor is answered, the memory goes on, nothing is left over', async (t) => {
  const farm = await playFarm(t, { schedulers: 0 });
  let scheduler = await spawnScheduler(t, farm);
  const deployed = await fetch(`${scheduler.url}/apps`, { method: 'POST', body: JSON.stringify(appFile('shop', 'scale: { idleMs: 150 }')), headers: { 'content-type': 'application/json' } });
  t.is(deployed.status, 200);
  farm.gateway.askAgainMs = 3_000;
  farm.agent.startMs = 120;
  farm.agent.snapshotMs = 120;
  let visits = 0;
  for (let round = 0; round < 8; round++) {
    // From before it goes to sleep until it is being restored.
    const visiting = (async () => {
      await delay(100 + round * 90);
      return farm.gateway.visit('shop');
    })();
    await delay(150 + round * 70);
    scheduler.child.kill('SIGKILL');
    scheduler = await spawnScheduler(t, farm);
    const visit = await visiting;
    t.is(visit.status, 200, visit.body);
    visits += 1;
    t.is(visitsOf(visit), visits);
  }
  const [left] = await farm.settled('shop', ['asleep']);
  t.is(farm.agent.running.size, 0);
  t.is(left?.app, 'shop');
  t.is((await farm.instances('shop')).length, 1);
});
