import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Engine } from '../packages/node-agent/dist/engine/engine.js';
import { openEngine } from '../packages/node-agent/dist/engine/open-engine.js';
import { criuWakes } from './support/criu.js';
import { Measurements, type Row } from './support/rows.js';
import { WarmClient } from './support/warm-client.js';
import { type Endpoint, insidePort, type Sleeper, sleepers, startSleeper } from './support/sleepers.js';

const rounds = 30, coldRounds = 8, freshRounds = 8, criuRounds = 8;
/** The first wake has a guess of what it needs; the next ones learn what of it is needed (ADR 0152, 0240). */
const learningRounds = 12;
/** Between going to sleep and waking: the engine makes its next pods and what the wake will want while nobody waits. */
const settleMs = 150;

/**
 * Waking from an image alone, without gateway, agent or zygote, for programs of several kinds and sizes, beside each one's cold start.
 * @param only measures those with this in their names
 */
export async function wakes(only = ''): Promise<Row[]> {
  const measurements = new Measurements();
  for (const sleeper of sleepers.filter(({ name }) => name.includes(only))) {
    process.stderr.write(`bench: ${sleeper.name}\n`);
    await measureSleeper(sleeper, measurements);
  }
  return measurements.rows();
}

async function measureSleeper(sleeper: Sleeper, measurements: Measurements): Promise<void> {
  const add = (metric: string, took: number): void => measurements.add({ case: sleeper.name, metric, unit: 'ms' }, took);
  const dir = await mkdtemp(`${tmpdir()}/appshot-bench-`);
  const engine = await openEngine({ dir });
  const client = await new WarmClient().start();
  try {
    for (let round = 0; round < freshRounds; round += 1) {
      const fresh = await startSleeper(sleeper);
      add('cold start, spawn to first reply', fresh.tookMs);
      await fresh.end();
    }
    for (const took of await criuWakes(sleeper, criuRounds)) add('criu restore to first reply', took);
    const { address } = await launch(engine, sleeper);
    for (let reply = 0; reply < 20; reply += 1) await sleeper.reply(endpointOf(address));
    for (let round = -learningRounds; round < rounds + coldRounds; round += 1) {
      await engine.snapshot('site', { keepRunning: false });
      await pause(settleMs);
      const isCold = round >= rounds;
      if (isCold) await dropFromPageCache(`${dir}/images/site`);
      await client.warm();
      const woken = await wakeOnce(engine, sleeper);
      if (round === -learningRounds) add('very first wake to first reply', woken.firstMs);
      if (round < 0) continue;
      if (isCold) {
        add('wake to first reply, image not in the page cache', woken.firstMs);
        continue;
      }
      add('wake to first reply', woken.firstMs);
      add('wake to tenth reply', woken.tenthMs);
      for (const [phase, took] of Object.entries(woken.phases)) add(`wake: ${phase}`, took);
    }
  } finally {
    await client.close();
    await engine.stop('site').catch(() => undefined);
    await engine.close();
    await rm(dir, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 });
  }
}

function launch(engine: Engine, { command, cwd, env }: Sleeper): Promise<{ address: string }> {
  return engine.launch({ aid: 'site', command: command(insidePort), cwd, env: env(insidePort), volumes: [], port: insidePort, readyWithinMs: 30_000 });
}

async function wakeOnce(engine: Engine, { reply }: Sleeper): Promise<{ firstMs: number; tenthMs: number; phases: Readonly<Record<string, number>> }> {
  const startedAt = performance.now();
  const { address, phases } = await engine.restore('site');
  const endpoint = endpointOf(address);
  await reply(endpoint);
  const firstMs = performance.now() - startedAt;
  for (let count = 2; count <= 10; count += 1) await reply(endpoint);
  return { firstMs, tenthMs: performance.now() - startedAt, phases };
}

function endpointOf(address: string): Endpoint {
  return { ip: address.split(':')[0] ?? '', port: insidePort };
}

/** Only these files: the rest of the machine's page cache is not ours. */
async function dropFromPageCache(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    await promisify(execFile)('dd', [`if=${directory}/${name}`, 'iflag=nocache', 'count=0', 'status=none']);
  }
}
