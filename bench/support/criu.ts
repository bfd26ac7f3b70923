import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { promisify } from 'node:util';
import { type Sleeper, startSleeper } from './sleepers.js';

const run = promisify(execFile);

/**
 * Dumps a fresh process of the program and restores it `rounds` times, image in the page cache.
 * @returns milliseconds from the command to the first answer; empty where no `criu` is on the PATH or it cannot do it here
 */
export async function criuWakes(sleeper: Sleeper, rounds: number): Promise<number[]> {
  if (!(await run('criu', ['check']).then(() => true, () => false))) return [];
  const dir = await mkdtemp(`${tmpdir()}/appshot-bench-criu-`);
  const fresh = await startSleeper(sleeper);
  const took: number[] = [];
  try {
    await run('criu', ['dump', '-t', String(fresh.pid), '-D', dir, '--tcp-close']);
    for (let round = 0; round < rounds; round += 1) {
      const startedAt = performance.now();
      await run('criu', ['restore', '-D', dir, '-d', '--tcp-close']);
      await sleeper.reply(fresh.endpoint);
      took.push(performance.now() - startedAt);
      await endGroup(fresh.pid);
    }
  } catch (error) {
    process.stderr.write(`bench: criu cannot save or restore ${sleeper.name} here: ${String(error).split('\n')[0]}\n`);
  } finally {
    await fresh.end().catch(() => undefined);
    await rm(dir, { recursive: true, force: true });
  }
  return took;
}

/** Ends a restored program, which has its old process ids. */
async function endGroup(leader: number): Promise<void> {
  process.kill(-leader, 'SIGKILL');
  for (const deadline = performance.now() + 10_000; performance.now() < deadline; await new Promise((resolve) => setTimeout(resolve, 1))) {
    try {
      process.kill(-leader, 0);
    } catch {
      return;
    }
  }
}
