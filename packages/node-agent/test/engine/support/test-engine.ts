import { execFile } from 'node:child_process';
import { cp, mkdtemp, realpath, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { patienceMs } from '@appshot/runtime/testing';
import type { ExecutionContext } from 'ava';
import type { LaunchSpec, Running } from '../../../src/engine/engine.js';
import type { KeeperEngine } from '../../../src/engine/keeper-engine.js';
import { openEngine } from '../../../src/engine/open-engine.js';
import { awaitNothingLeft } from './leftovers.js';

export const run = promisify(execFile);
const fixtures = path.join(import.meta.dirname, '../fixtures');

/** Programs of the first issue, each counting its visits on port 3000. */
export const programs = {
  node: ['node', 'counter.mjs'],
  python: ['/usr/bin/python3', 'counter.py'],
  nginx: ['nginx', '-p', '.', '-c', 'nginx.conf'],
  c: ['./counter'],
} as const satisfies Record<string, readonly string[]>;
export type ProgramName = keyof typeof programs;

export interface TestEngine {
  readonly dir: string;
  readonly site: string;
  readonly engine: KeeperEngine;
  launch(aid: string, program: ProgramName, more?: Partial<LaunchSpec>): Promise<Running>;
}

/** An engine of the test's own; when the test is over, everything is stopped and nothing may be left. */
export async function testEngine(t: ExecutionContext): Promise<TestEngine> {
  const top = await realpath(await mkdtemp(path.join(os.tmpdir(), 'engine-test-')));
  // Also when nothing starts: teardowns run from the last to the first.
  t.teardown(() => rm(top, { recursive: true, force: true }));
  const [dir, site] = [path.join(top, 'engine'), path.join(top, 'site')];
  await cp(fixtures, site, { recursive: true });
  await run('cc', ['-O1', '-o', path.join(site, 'counter'), path.join(site, 'counter.c')]);
  const engine = await openEngine({ dir });
  t.teardown(async () => {
    await removeEverything(await openEngine({ dir }));
    await engine.close();
    await awaitNothingLeft(dir);
  });
  const launch = (aid: string, program: ProgramName, more: Partial<LaunchSpec> = {}): Promise<Running> =>
    engine.launch({ aid, command: programs[program], cwd: site, env: {}, volumes: [], port: 3000, readyWithinMs: patienceMs, ...more });
  return { dir, site, engine, launch };
}

async function removeEverything(engine: KeeperEngine): Promise<void> {
  const { running, images } = await engine.list();
  for (const { aid } of running) await engine.stop(aid);
  for (const { id } of images) await engine.removeImage(id);
  await engine.close();
}

/** The text of an answer of the instance. */
export async function visit({ address }: Pick<Running, 'address'>): Promise<string> {
  const response = await fetch(`http://${address}/`, { signal: AbortSignal.timeout(patienceMs), headers: { connection: 'close' } });
  return (await response.text()).trim();
}
