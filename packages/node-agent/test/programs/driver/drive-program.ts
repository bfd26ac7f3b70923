import { FarmError } from '@appshot/runtime';
import { waitUntil } from '@appshot/runtime/testing';
import type { ProcessRow } from '../../../src/engine/engine.js';
import { watchGoing } from './gone.js';
import { holdConnection } from './held-connection.js';
import type { Program, Site } from './program.js';
import type { ProgramFarm } from './program-farm.js';
import { awaitRest } from './rest.js';

/** What became of a program; times in milliseconds as the engine's caller sees them, medians of the rounds. */
export interface Outcome {
  readonly program: string;
  readonly parts: string;
  readonly version: string;
  readonly launchMs: number | null;
  readonly snapshotMs: number | null;
  readonly stoppedMs: number | null;
  readonly restoreMs: number | null;
  /** Bytes of the last image. */
  readonly imageBytes: number | null;
  readonly wakes: number;
  readonly clones: number;
  /** What went wrong, empty when nothing did. */
  readonly failed: string;
}

const rounds = 3;
const clones = 2;

interface Progress {
  version: string;
  launchMs: number | null;
  readonly snapshots: number[];
  readonly stops: number[];
  readonly restores: number[];
  imageBytes: number | null;
  wakes: number;
  clones: number;
  doing: string;
}

/** Launches a program, visits it, lets it sleep and wake three times, clones it twice; each time with its own client. */
export async function driveProgram(farm: ProgramFarm, program: Program): Promise<Outcome> {
  const progress: Progress = { version: 'not installed', launchMs: null, snapshots: [], stops: [], restores: [], imageBytes: null, wakes: 0, clones: 0, doing: 'preparing' };
  let failed = '';
  try {
    await drive(farm, program, progress);
  } catch (error) {
    failed = `${progress.doing}: ${describe(error)}`;
  } finally {
    await farm.clear(program).catch((error: unknown) => { failed ||= `clearing: ${describe(error)}`; });
  }
  return {
    program: program.name, parts: program.parts, version: progress.version, launchMs: progress.launchMs, snapshotMs: median(progress.snapshots), stoppedMs: median(progress.stops),
    restoreMs: median(progress.restores), imageBytes: progress.imageBytes, wakes: progress.wakes, clones: progress.clones, failed,
  };
}

async function drive(farm: ProgramFarm, program: Program, progress: Progress): Promise<void> {
  const folder = await farm.prepare(program);
  progress.version = await farm.versionOf(program, folder);
  progress.doing = 'launch';
  const begun = performance.now();
  let site = await farm.launch(program, folder);
  progress.launchMs = performance.now() - begun;
  progress.doing = 'work';
  // Twice, so that caches, workers and connections inside are what they are in a program that serves.
  await program.visit(site);
  let visits = await program.visit(site);
  await program.chain?.(site);
  // What is drawn in advance has been by now.
  await program.draws?.(site);
  for (let round = 1; round <= rounds; round += 1) {
    const held = program.forksForVisitors ? null : await holdConnection(site);
    const [ticks, connections] = [await program.ticks?.(site), await program.connections?.(site)];
    site = await sleepAndWake(farm, program, progress, round);
    progress.doing = `after wake ${round}`;
    visits = await expectVisits(program, site, visits, 2);
    await expectTicks(program, site, ticks);
    await program.chain?.(site);
    await expectConnections(program, site, connections);
    await awaitRest(farm.engine, site.aid);
    held?.close();
    progress.wakes = round;
  }
  await cloneTwice(farm, program, { site, visits, progress });
}

const isAmong = (rows: readonly ProcessRow[], { vpid, comm }: ProcessRow): boolean => rows.some((row) => row.vpid === vpid && row.comm === comm);

/** Its processes, once they have been the same for a while: a visitor's helper that is just ending is gone a moment later. */
async function lastingProcesses(farm: ProgramFarm, program: Program): Promise<readonly ProcessRow[]> {
  let [rows, sameLooks]: [readonly ProcessRow[], number] = [[], 0];
  return waitUntil(async () => {
    const now = await farm.engine.ps(program.name);
    sameLooks = now.length === rows.length && now.every((row) => isAmong(rows, row)) ? sameLooks + 1 : 0;
    rows = now;
    return sameLooks >= 3 && rows;
  }, { everyMs: 50, what: 'its processes to be the same for a while' });
}

async function sleepAndWake(farm: ProgramFarm, program: Program, progress: Progress, round: number): Promise<Site> {
  progress.doing = `snapshot ${round}`;
  const before = await lastingProcesses(farm, program);
  const gone = await watchGoing(before);
  const begun = performance.now();
  const taken = await farm.engine.snapshot(program.name, { keepRunning: false });
  progress.snapshots.push(performance.now() - begun);
  progress.stops.push(taken.stoppedMs);
  progress.imageBytes = taken.bytes;
  await gone();
  progress.doing = `wake ${round}`;
  const asked = performance.now();
  const running = await farm.engine.restore(program.name);
  progress.restores.push(performance.now() - asked);
  const after = await farm.engine.ps(program.name);
  // More may have been started meanwhile, as before a first request. But of those that last, none may be missing.
  const lost = before.filter((row) => !isAmong(after, row));
  if (lost.length > 0) throw new Error(`came back without ${lost.map(({ vpid, comm }) => `${vpid} (${comm})`).join(', ')}`);
  return farm.siteOf(running);
}

/** Copies of the program as it is now: each has its state, and what one of them does the others do not see. */
async function cloneTwice(farm: ProgramFarm, program: Program, { site, visits, progress }: { site: Site; visits: number; progress: Progress }): Promise<void> {
  progress.doing = 'template';
  const connections = await program.connections?.(site);
  await farm.engine.snapshot(program.name, { keepRunning: true, image: `${program.name}-template` });
  await expectVisits(program, site, visits, 3);
  progress.doing = 'clone';
  const names = Array.from({ length: clones }, (_, index) => `${program.name}-${index + 1}`);
  const copies = (await farm.engine.clone(`${program.name}-template`, names)).map((running) => farm.siteOf(running));
  const addresses = new Set([site, ...copies].map(({ address }) => address));
  if (addresses.size !== clones + 1) throw new Error(`addresses are not their own: ${[...addresses].join(', ')}`);
  progress.doing = 'draws of clones';
  await expectOwnDraws(program, [site, ...copies]);
  for (const [index, copy] of copies.entries()) {
    progress.doing = `clone ${index + 1}`;
    await expectVisits(program, copy, visits, index + 1);
    await expectTicks(program, copy, program.ticks && await program.ticks(copy));
    await program.chain?.(copy);
    await expectConnections(program, copy, connections);
    progress.clones = index + 1;
  }
  progress.doing = 'after clones';
  await expectVisits(program, site, visits + 3, 1);
  await expectVisits(program, copies[0]!, visits + 1, 1);
}

/** Each kind of number is another in each of them. */
async function expectOwnDraws(program: Program, sites: readonly Site[]): Promise<void> {
  const drawn = await Promise.all(sites.map((one) => program.draws?.(one) ?? []));
  for (const kind of drawn[0]?.keys() ?? []) {
    const numbers = drawn.map((draws) => draws[kind]);
    if (new Set(numbers).size < sites.length) throw new Error(`twins drew the same: ${numbers.join(', ')}`);
  }
}

/** Visits so many times; each has to be counted on from `before`, whoever else was visited meanwhile. */
async function expectVisits(program: Program, site: Site, before: number, times: number): Promise<number> {
  for (let expected = before + 1; expected <= before + times; expected += 1) {
    const counted = await program.visit(site);
    if (counted !== expected) throw new Error(`visit ${expected} was counted as ${counted}`);
  }
  return before + times;
}

async function expectTicks(program: Program, site: Site, before: number | undefined): Promise<void> {
  if (program.ticks === undefined || before === undefined) return;
  let ticks = before;
  await waitUntil(async () => (ticks = (await program.ticks?.(site)) ?? 0) > before, { everyMs: 20, what: 'a timer inside' })
    .catch((error: unknown) => { throw new Error(`its timer stands at ${ticks}, had ${before}`, { cause: error }); });
}

async function expectConnections(program: Program, site: Site, before: number | undefined): Promise<void> {
  const made = await program.connections?.(site);
  if (made !== before) throw new Error(`its parts have made ${made} connections to each other, ${before} before it slept: those were lost`);
}

function describe(error: unknown): string {
  const text = FarmError.from(error).facts?.['lastLines'];
  const lines = typeof text === 'string' && text !== '' ? ` [${text.trim().split('\n').slice(-5).join(' | ')}]` : '';
  return `${error instanceof Error ? withCause(error) : String(error)}${lines}`;
}

function median(values: readonly number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? null;
}

/** `fetch failed` says nothing by itself. */
function withCause(error: Error): string {
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
