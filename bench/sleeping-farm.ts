import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startRedis } from '@appshot/runtime/testing';
import { Farm, type Role } from '../test/support/farm.js';
import { engineMemory } from './support/farm-memory.js';
import { privateMemory } from './support/private-memory.js';
import { Measurements, type Row } from './support/rows.js';
import { timedRequest } from './support/timed-request.js';
import { WarmClient } from './support/warm-client.js';

const run = promisify(execFile);
const program = fileURLToPath(new URL('../packages/node-agent/test/engine/fixtures/counter.c', import.meta.url));
const roles: readonly Role[] = ['gateway', 'scheduler', 'agent'];
const counts = [10, 1000];
const rounds = 30;
/** Sites that are deployed at the same time. */
const atOnce = 4;
/** Garbage of what was done before is collected, and the node has got ready for the next visitor. */
const settleMs = 30_000;

/**
 * A farm with 10 sites that all sleep, and with 1,000: the memory of its own processes, the registry's bytes for each site, and how
 * long a visitor waits who wakes one of them.
 */
export async function sleepingFarm(): Promise<Row[]> {
  const measurements = new Measurements();
  const farm = new Farm();
  const redis = await startRedis();
  const client = new WarmClient();
  const used = async (): Promise<number> => Number(/used_memory:(\d+)/.exec((await run('redis-cli', ['-u', redis.url, 'info', 'memory'])).stdout)?.[1]);
  try {
    await client.start();
    await mkdir(siteOf(farm));
    await run('cc', ['-O1', '-o', path.join(siteOf(farm), 'counter'), program]);
    await farm.up('--redis', redis.url);
    let deployed = 0;
    let before = { sites: 0, bytes: await used() };
    for (const count of counts) {
      const add = (metric: string, unit: string, value: number): void => measurements.add({ case: `farm, ${count} sites asleep`, metric, unit }, value);
      while (deployed < count) {
        const next = Math.min(count, deployed + atOnce);
        await Promise.all(Array.from({ length: next - deployed }, (_, index) => deployAndSleep(farm, deployed + index)));
        deployed = next;
        if (deployed % 100 === 0) process.stderr.write(`bench: ${deployed} sites\n`);
      }
      await pause(settleMs);
      await measureMemory(farm, add);
      const now = { sites: count, bytes: await used() };
      // Of the first ten nothing can be told: what the farm itself writes changes as much.
      if (before.sites > 0) add('registry, for each further site', 'bytes', (now.bytes - before.bytes) / (now.sites - before.sites));
      before = now;
      for (let round = 0; round < rounds; round += 1) await measureWake({ farm, client, name: nameOf((round * 37) % count) }, add);
    }
  } finally {
    await farm.destroy();
    await redis.stop();
    await client.close();
  }
  return measurements.rows();
}

type Add = (metric: string, unit: string, value: number) => void;

const siteOf = (farm: Farm): string => path.join(farm.dir, 'site');
const nameOf = (index: number): string => `site-${index}`;

async function post(farm: Farm, route: string, body: unknown): Promise<void> {
  const response = await fetch(`${farm.api}${route}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${route}: ${response.status} ${await response.text()}`);
  await response.arrayBuffer();
}

async function deployAndSleep(farm: Farm, index: number): Promise<void> {
  const name = nameOf(index);
  const text = [`name: ${name}`, `hosts: [${name}.localhost]`, 'command: [./counter]', `cwd: ${siteOf(farm)}`, 'port: 3000', 'scale: { idleMs: never }', ''].join('\n');
  await post(farm, '/apps', { text, baseDir: farm.dir });
  await post(farm, '/sleep', { target: name });
}

async function measureMemory(farm: Farm, add: Add): Promise<void> {
  let sum = 0;
  for (const role of roles) {
    const bytes = await privateMemory(farm.pidOf(role));
    add(`memory of the ${role}`, 'MB', bytes / 1e6);
    sum += bytes;
  }
  const keeper = await engineMemory(farm.engineDir);
  add('memory of the keeper', 'MB', keeper / 1e6);
  add('memory of all of them', 'MB', (sum + keeper) / 1e6);
}

async function measureWake({ farm, client, name }: { farm: Farm; client: WarmClient; name: string }, add: Add): Promise<void> {
  await client.warm();
  const { tookMs, serverTiming } = await timedRequest({ port: farm.http, host: `${name}.localhost` });
  add('sleeping, request to first byte', 'ms', tookMs);
  for (const [phase, took] of serverTiming) add(`  ${phase}`, 'ms', took);
  await post(farm, '/sleep', { target: name });
  await pause(300);
}
