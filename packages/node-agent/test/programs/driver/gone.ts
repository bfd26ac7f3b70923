import { access } from 'node:fs/promises';
import { proc } from '@appshot/runtime';
import { waitUntil } from '@appshot/runtime/testing';
import type { ProcessRow } from '../../../src/engine/engine.js';

const isThere = (path: string): Promise<boolean> => access(path).then(() => true, () => false);

/** When the process started, in clock ticks since boot: tells it from a later one with its pid. */
const startOf = (pid: number): string => proc.text(pid, 'stat').split(') ').at(-1)?.split(' ')[19] ?? '';

/** Directories that account for a process's memory, in either kind of cgroup tree. */
async function cgroupsOf(pid: number): Promise<string[]> {
  const lines = proc.text(pid, 'cgroup').trim().split('\n').map((line) => line.split(':'));
  const candidates = lines.flatMap(([, controllers = '', path = '']) => {
    if (!path.includes('appshot-')) return [];
    if (controllers === '') return [`/sys/fs/cgroup${path}`, `/sys/fs/cgroup/unified${path}`];
    return controllers.split(',').includes('memory') ? [`/sys/fs/cgroup/memory${path}`] : [];
  });
  const there = await Promise.all(candidates.map(isThere));
  return candidates.filter((_, index) => there[index]);
}

/** Remembers what an instance consists of. The answer waits until nothing of that is left: no process, and nobody to own memory. */
export async function watchGoing(rows: readonly ProcessRow[]): Promise<() => Promise<void>> {
  const first = rows[0];
  if (first === undefined) throw new Error('the instance has no process');
  const processes = rows.map(({ pid, comm }) => ({ pid, comm, start: startOf(pid) }));
  const cgroups = await cgroupsOf(first.pid);
  if (cgroups.length === 0) throw new Error(`process ${first.pid} is in no cgroup of the engine`);
  return async () => {
    let left: string[] = [];
    await waitUntil(async () => {
      const alive = processes.map(({ pid, start }) => startOf(pid) === start);
      const kept = await Promise.all(cgroups.map(isThere));
      left = [...processes.filter((_, index) => alive[index]).map(({ pid, comm }) => `process ${pid} (${comm})`), ...cgroups.filter((_, index) => kept[index])];
      return left.length === 0;
    }, { everyMs: 20, what: 'a sleeping program to be gone' })
      .catch((error: unknown) => { throw new Error(`left of it: ${left.join(', ')}`, { cause: error }); });
  };
}
