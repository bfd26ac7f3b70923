import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { freePort } from '@appshot/runtime/testing';
import type { Engine, Running } from '../packages/node-agent/dist/engine/engine.js';
import { openEngine } from '../packages/node-agent/dist/engine/open-engine.js';
import { firstReply, firstReplyOfStarting } from './support/first-reply.js';
import { privateMemory } from './support/private-memory.js';
import { Measurements, type Row } from './support/rows.js';

const rounds = 30;
const siteDirectory = fileURLToPath(new URL('../examples/node-counter', import.meta.url));

interface Site {
  readonly name: string;
  readonly ballastMb: number;
}

const sites: readonly Site[] = [{ name: 'node', ballastMb: 0 }, { name: 'node + 50 MB', ballastMb: 50 }];

/** What the engine does, beside the same site's own cold start; everything in turn in each round. No gateway in between. */
export async function engine(): Promise<Row[]> {
  const measurements = new Measurements();
  for (const site of sites) await measureSite(site, measurements);
  return measurements.rows();
}

async function measureSite(site: Site, measurements: Measurements): Promise<void> {
  const dir = await mkdtemp(`${tmpdir()}/appshot-bench-`);
  const keeper = await openEngine({ dir });
  try {
    const running = await launch(keeper, site);
    await firstReply(endpointOf(running));
    await keeper.snapshot('site', { keepRunning: true, image: 'template' });
    await keeper.warm('template', true);
    for (let round = 0; round < rounds; round += 1) {
      await measureColdStart(site, measurements);
      await measureClone({ keeper, site, aid: `clone-${round}` }, measurements);
      await measureSleepAndWake(keeper, site, measurements);
    }
  } finally {
    await keeper.stop('site').catch(() => undefined);
    await keeper.close();
    await rm(dir, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 });
  }
}

function launch(keeper: Engine, { ballastMb }: Site): Promise<Running> {
  return keeper.launch({
    aid: 'site', command: [process.execPath, 'server.js'], cwd: siteDirectory, env: { PORT: '3000', BALLAST_MB: String(ballastMb) },
    volumes: [], port: 3000, readyWithinMs: 30_000,
  });
}

function endpointOf({ address }: Running): { ip: string; port: number } {
  const [ip = '', port = ''] = address.split(':');
  return { ip, port: Number(port) };
}

/** spawn to first 200, as a site that is started on demand would need. */
async function measureColdStart({ name, ballastMb }: Site, measurements: Measurements): Promise<void> {
  const port = await freePort();
  const startedAt = performance.now();
  const child = spawn(process.execPath, ['server.js'], { cwd: siteDirectory, env: { PORT: String(port), BALLAST_MB: String(ballastMb) }, stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  await firstReplyOfStarting({ ip: '127.0.0.1', port });
  measurements.add({ case: name, metric: 'cold start to first reply', unit: 'ms' }, performance.now() - startedAt);
  measurements.add({ case: name, metric: 'private memory, fresh process', unit: 'MB' }, await privateMemory(child.pid ?? 0) / 1e6);
  child.kill('SIGKILL');
  await ended;
}

async function measureClone({ keeper, site: { name }, aid }: { keeper: Engine; site: Site; aid: string }, measurements: Measurements): Promise<void> {
  const startedAt = performance.now();
  const [clone] = await keeper.clone('template', [aid]);
  if (clone === undefined) throw new Error('the engine made no clone');
  await firstReply(endpointOf(clone));
  measurements.add({ case: name, metric: 'clone to first reply', unit: 'ms' }, performance.now() - startedAt);
  for (const [phase, took] of Object.entries(clone.phases)) measurements.add({ case: name, metric: `clone: ${phase}`, unit: 'ms' }, took);
  measurements.add({ case: name, metric: 'private memory, idle clone', unit: 'MB' }, await privateMemory(clone.pid) / 1e6);
  await keeper.stop(aid);
}

async function measureSleepAndWake(keeper: Engine, { name }: Site, measurements: Measurements): Promise<void> {
  const taken = await keeper.snapshot('site', { keepRunning: false });
  measurements.add({ case: name, metric: 'snapshot: stopped', unit: 'ms' }, taken.stoppedMs);
  measurements.add({ case: name, metric: 'snapshot: image', unit: 'MB' }, taken.bytes / 1e6);
  const startedAt = performance.now();
  const woken = await keeper.restore('site');
  const endpoint = endpointOf(woken);
  await firstReply(endpoint);
  measurements.add({ case: name, metric: 'wake to first reply', unit: 'ms' }, performance.now() - startedAt);
  for (let reply = 2; reply <= 10; reply += 1) await firstReply(endpoint);
  measurements.add({ case: name, metric: 'wake to tenth reply', unit: 'ms' }, performance.now() - startedAt);
  for (const [phase, took] of Object.entries(woken.phases)) measurements.add({ case: name, metric: `wake: ${phase}`, unit: 'ms' }, took);
  const kept = await keeper.snapshot('site', { keepRunning: true, image: 'kept' });
  measurements.add({ case: name, metric: 'template: stopped', unit: 'ms' }, kept.stoppedMs);
  await keeper.removeImage('kept');
}
