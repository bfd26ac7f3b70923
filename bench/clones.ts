import { execFile, spawn } from 'node:child_process';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Engine, Running } from '../packages/node-agent/dist/engine/engine.js';
import { openEngine } from '../packages/node-agent/dist/engine/open-engine.js';
import { cloneSites, type CloneSite } from './support/clone-sites.js';
import { firstReply, firstReplyOfStarting } from './support/first-reply.js';
import { engineMemory } from './support/farm-memory.js';
import { privateMemory } from './support/private-memory.js';
import { Measurements, type Row } from './support/rows.js';
import { WarmClient } from './support/warm-client.js';

const rounds = 30;
/** Between two operations: the engine makes in advance what the next clone will want. */
const settleMs = 120;
/** As in a farm, whose templates are of programs that have come to rest (ADR 0120). */
const restMs = 12_000;
/** As with `template: { exercise: [/] }` in an app file: what a program compiles by being used is in its template (ADR 0190). */
const exercise = 2_000;
const live = 300, burst = 500;
/** As an agent has them: network slots made in advance, and addresses enough for all. */
const podsReady = 8;
const addresses = Array.from({ length: 1_000 }, (_, n) => `10.231.${n >> 8}.${n & 255}`).filter((address) => !address.endsWith('.0') && !address.endsWith('.255'));

type Add = (metric: string, value: number, unit?: string) => void;

interface Measuring { readonly engine: Engine; readonly client: WarmClient; readonly aid: string; readonly add: Add }

/**
 * A clone of each kind of program, beside its own cold start, a warm request, and a parked one; everything in turn.
 * @param only measures those with this in their names
 */
export async function clones(only = ''): Promise<Row[]> {
  const measurements = new Measurements();
  for (const site of cloneSites.filter(({ name }) => name.includes(only))) {
    process.stderr.write(`bench: ${site.name}\n`);
    await withTemplate(site, async (engine, _dir, client) => {
      const add = addTo(measurements, `clone, ${site.name}`);
      for (let round = 0; round < rounds; round += 1) {
        await measureCold(site, add);
        await measureClone({ engine, client, add, aid: `c-${round}` });
        await measureParked({ engine, client, add, aid: `p-${round}` });
      }
    });
  }
  return measurements.rows();
}

/** The Node.js site with 300 of its clones alive. */
export async function manyLive(): Promise<Row[]> {
  const measurements = new Measurements();
  const [site] = cloneSites;
  if (site === undefined) return [];
  await withTemplate(site, async (engine, _dir, client) => {
    for (let made = 0; made < live; made += 1) await visitNew(engine, `live-${made}`);
    await pause(2_000);
    const add = addTo(measurements, `clone, node, ${live} live`);
    for (let round = 0; round < rounds; round += 1) await measureClone({ engine, client, add, aid: `c-${round}` });
  });
  return measurements.rows();
}

/** 500 clones one after the other, each answering, and what each costs of the machine's memory once they idle. */
export async function density(): Promise<Row[]> {
  const measurements = new Measurements();
  const [site] = cloneSites;
  if (site === undefined) return [];
  await withTemplate(site, async (engine) => {
    const add = addTo(measurements, `clone, node, ${burst} in a row`);
    await pause(1_000);
    const before = await usedMemory();
    const startedAt = performance.now();
    for (let made = 0; made < burst; made += 1) await visitNew(engine, `many-${made}`);
    add('all made and answered', (performance.now() - startedAt) / 1000, 's');
    await pause(5_000);
    add('memory of each, everything counted', (await usedMemory() - before) / burst / 1e6, 'MB');
  });
  return measurements.rows();
}

/** The physical yardsticks: fork() of a process of the same size, and starting an interpreter that does nothing. */
export async function yardsticks(): Promise<Row[]> {
  const measurements = new Measurements();
  const run = promisify(execFile);
  for (let round = 0; round < rounds; round += 1) {
    const startedAt = performance.now();
    await run(process.execPath, ['-e', '0'], { env: {} });
    addTo(measurements, 'yardstick')('exec of node -e 0', performance.now() - startedAt);
  }
  for (const megabytes of [10, 64]) {
    const { stdout } = await run('/usr/bin/python3', ['-c', forkProgram, String(megabytes), String(rounds)]);
    for (const took of stdout.trim().split('\n')) addTo(measurements, 'yardstick')(`fork of ${megabytes} MB`, Number(took));
  }
  return measurements.rows();
}

/** A node with 10 sleeping sites, and one with 1,000: what the engine holds for them, and how fast one of them wakes. */
export async function sleepingSites(): Promise<Row[]> {
  const measurements = new Measurements();
  const [site] = cloneSites;
  if (site === undefined) return [];
  await withTemplate(site, async (engine, dir) => {
    await engine.warm('template', false);
    let asleep = 0;
    for (const count of [10, 1000]) {
      const add = addTo(measurements, `${count} sites asleep`);
      for (; asleep < count; asleep += 1) await putToSleep(engine, `s-${asleep}`);
      await pause(5_000);
      add('memory of the engine', await engineMemory(dir) / 1e6, 'MB');
      for (let round = 0; round < rounds; round += 1) {
        const aid = `s-${(round * 37) % count}`;
        const startedAt = performance.now();
        await firstReply(endpointOf(await engine.restore(aid)));
        add('wake to first reply', performance.now() - startedAt);
        await engine.snapshot(aid, { keepRunning: false });
        await pause(settleMs);
      }
    }
  });
  return measurements.rows();
}

const forkProgram = `
import os, sys, time, mmap
size = int(sys.argv[1]) << 20
memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for at in range(0, size, 4096): memory[at] = 1
for _ in range(int(sys.argv[2])):
    started = time.perf_counter()
    child = os.fork()
    if child == 0: os._exit(0)
    print((time.perf_counter() - started) * 1000)
    os.waitpid(child, 0)
`;

const addTo = (measurements: Measurements, name: string): Add =>
  (metric, value, unit = 'ms') => measurements.add({ case: name, metric, unit }, value);

/** Runs `work` with the site's template resident, and ends everything after it. */
async function withTemplate(site: CloneSite, work: (engine: Engine, dir: string, client: WarmClient) => Promise<void>): Promise<void> {
  const top = await mkdtemp(`${tmpdir()}/appshot-bench-`);
  const dir = `${top}/engine`;
  const engine = await openEngine({ dir });
  const client = await new WarmClient().start();
  try {
    await engine.configure({ addresses, podsReady });
    const running = await engine.launch({
      aid: 'site', command: site.command, cwd: site.cwd, env: site.env, volumes: [], port: 3000, readyWithinMs: 30_000,
    });
    await pause(restMs);
    // Right before: what V8 has compiled it gives up again some time after the last connection (ADR 0210).
    for (let request = 0; request < exercise; request += 1) await firstReply(endpointOf(running));
    await engine.snapshot('site', { keepRunning: true, image: 'template' });
    await engine.warm('template', true);
    await work(engine, dir, client);
  } finally {
    await client.close();
    for (const { aid } of (await engine.list()).running) await engine.stop(aid).catch(() => undefined);
    await engine.close();
    await rm(top, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 });
  }
}

function endpointOf({ address }: Running): { ip: string; port: number } {
  const [ip = '', port = ''] = address.split(':');
  return { ip, port: Number(port) };
}

async function visitNew(engine: Engine, aid: string): Promise<Running> {
  const [clone] = await engine.clone('template', [aid]);
  if (clone === undefined) throw new Error('the engine made no clone');
  await firstReply(endpointOf(clone));
  return clone;
}

/** spawn to first 200 of the same program without the engine. */
async function measureCold(site: CloneSite, add: Add): Promise<void> {
  const [program = '', ...args] = site.command;
  // What it writes beside its files is not the repository's.
  const cwd = await mkdtemp(`${tmpdir()}/appshot-bench-cold-`);
  await cp(site.cwd, cwd, { recursive: true });
  const startedAt = performance.now();
  const child = spawn(program, args, { cwd, env: { PATH: process.env.PATH ?? '', ...site.env }, stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  await firstReplyOfStarting({ ip: '127.0.0.1', port: 3000 });
  add('cold start, spawn to first 200', performance.now() - startedAt);
  add('private memory, fresh process', await privateMemory(child.pid ?? 0) / 1e6, 'MB');
  child.kill('SIGTERM');
  await ended;
  await rm(cwd, { recursive: true, force: true });
}

async function measureClone({ engine, client, aid, add }: Measuring): Promise<void> {
  await client.warm();
  const startedAt = performance.now();
  const [clone] = await engine.clone('template', [aid]);
  if (clone === undefined) throw new Error('the engine made no clone');
  const madeAt = performance.now();
  await firstReply(endpointOf(clone));
  const repliedAt = performance.now();
  add('clone to first reply', repliedAt - startedAt);
  add('  clone, as its caller sees it', madeAt - startedAt);
  add('  first reply', repliedAt - madeAt);
  for (const [phase, took] of Object.entries(clone.phases)) add(`  in the engine: ${phase}`, took);
  add('a warm request', await firstReply(endpointOf(clone)));
  add('private memory, clone that has served', await privateMemory(clone.pid) / 1e6, 'MB');
  // As in a farm: the engine learns from a clone that lives on what the next ones will touch.
  await pause(settleMs);
  await engine.stop(aid);
  await pause(settleMs);
}

async function measureParked({ engine, client, aid, add }: Measuring): Promise<void> {
  const [parked] = await engine.clone('template', [aid], { parked: true });
  await pause(settleMs);
  add('private memory, clone that has not served yet', await privateMemory(parked?.pid ?? 0) / 1e6, 'MB');
  await client.warm();
  const startedAt = performance.now();
  const running = await engine.unpark(aid);
  const madeAt = performance.now();
  await firstReply(endpointOf(running));
  add('parked to first reply', performance.now() - startedAt);
  add('  unpark, as its caller sees it', madeAt - startedAt);
  add('  first reply, after unpark', performance.now() - madeAt);
  await engine.stop(aid);
  await pause(settleMs);
}

async function putToSleep(engine: Engine, aid: string): Promise<void> {
  await engine.clone('template', [aid]);
  await engine.snapshot(aid, { keepRunning: false });
}

/** What the machine uses, bytes: what is not free and not cache of files that can be dropped. */
async function usedMemory(): Promise<number> {
  const text = await readFile('/proc/meminfo', 'utf8');
  const of = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0) * 1024;
  return of('MemTotal') - of('MemAvailable');
}
