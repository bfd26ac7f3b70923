import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import type { Engine, Running } from '../packages/node-agent/dist/engine/engine.js';
import { openEngine } from '../packages/node-agent/dist/engine/open-engine.js';
import { heaps, largeHeap, siteDirectory, startFresh, type Heap } from './support/counter-site.js';
import { firstReply } from './support/first-reply.js';
import { Measurements, type Row } from './support/rows.js';
import { WarmClient } from './support/warm-client.js';

const rounds = 30;
const largeRounds = 8;
/** Between two operations: the engine makes its next pods and what the next wake will want while nobody waits. */
const settleMs = 100;

/**
 * Sleeping and waking in the engine, beside the same site's own cold start; everything in turn in each round. No gateway in between.
 * @param only measures those with this in their names
 */
export async function engine(only = ''): Promise<Row[]> {
  const measurements = new Measurements();
  for (const site of [...heaps, largeHeap].filter(({ name }) => name.includes(only))) {
    process.stderr.write(`bench: ${site.name}\n`);
    await measureSite({ site, rounds: site === largeHeap ? largeRounds : rounds }, measurements);
  }
  return measurements.rows();
}

async function measureSite({ site, rounds }: { site: Heap; rounds: number }, measurements: Measurements): Promise<void> {
  const dir = await mkdtemp(`${tmpdir()}/appshot-bench-`);
  const keeper = await openEngine({ dir });
  const client = await new WarmClient().start();
  try {
    await firstReply(endpointOf(await launch(keeper, site)));
    for (let round = 0; round < rounds; round += 1) {
      await measureColdStart(site, measurements);
      await measureSleepAndWake({ keeper, site, client }, measurements);
    }
  } finally {
    await client.close();
    await keeper.stop('site').catch(() => undefined);
    await keeper.close();
    await rm(dir, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 });
  }
}

function launch(keeper: Engine, { ballastMb }: Heap): Promise<Running> {
  return keeper.launch({
    aid: 'site', command: [process.execPath, 'server.js'], cwd: siteDirectory, env: { PORT: '3000', BALLAST_MB: String(ballastMb) },
    volumes: [], port: 3000, readyWithinMs: 30_000,
  });
}

function endpointOf({ address }: Running): { ip: string; port: number } {
  const [ip = '', port = ''] = address.split(':');
  return { ip, port: Number(port) };
}

async function measureColdStart(site: Heap, measurements: Measurements): Promise<void> {
  const startedAt = performance.now();
  const fresh = await startFresh(site);
  measurements.add({ case: site.name, metric: 'cold start, spawn to first 200', unit: 'ms' }, performance.now() - startedAt);
  await fresh.end();
}

async function measureSleepAndWake({ keeper, site: { name }, client }: { keeper: Engine; site: Heap; client: WarmClient }, measurements: Measurements): Promise<void> {
  const taken = await keeper.snapshot('site', { keepRunning: false });
  measurements.add({ case: name, metric: 'snapshot: stopped', unit: 'ms' }, taken.stoppedMs);
  measurements.add({ case: name, metric: 'snapshot: written after ten requests', unit: 'MB' }, taken.bytes / 1e6);
  await pause(settleMs);
  await client.warm();
  const startedAt = performance.now();
  const woken = await keeper.restore('site');
  const endpoint = endpointOf(woken);
  await firstReply(endpoint);
  measurements.add({ case: name, metric: 'wake to first reply', unit: 'ms' }, performance.now() - startedAt);
  for (let reply = 2; reply <= 10; reply += 1) await firstReply(endpoint);
  measurements.add({ case: name, metric: 'wake to tenth reply', unit: 'ms' }, performance.now() - startedAt);
  for (const [phase, took] of Object.entries(woken.phases)) measurements.add({ case: name, metric: `wake: ${phase}`, unit: 'ms' }, took);
  const kept = await keeper.snapshot('site', { keepRunning: true, image: 'kept' });
  measurements.add({ case: name, metric: 'template of a running one: stopped', unit: 'ms' }, kept.stoppedMs);
  measurements.add({ case: name, metric: 'template of a running one: written', unit: 'MB' }, kept.bytes / 1e6);
  await keeper.removeImage('kept');
}
