import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { proc } from '@appshot/runtime';

/** Host pids of everything in a running instance's pod, the pod's own init not counted; none when it sleeps. */
export function pidsOf(engineDir: string, aid: string): number[] {
  const file = path.join(engineDir, 'instances', aid, 'state.json');
  if (!existsSync(file)) return [];
  const { pod } = JSON.parse(readFileSync(file, 'utf8')) as { pod: { name: string; init: number } };
  return proc.pids().filter((pid) => pid !== pod.init && isIn(pid, pod.name));
}

const isIn = (pid: number, pod: string): boolean => proc.text(pid, 'cgroup').split('\n').some((line) => line.endsWith(`/${pod}`));

/** Whether any of these processes is still there. */
export const someLive = (pids: readonly number[]): boolean => pids.some((pid) => existsSync(`/proc/${pid}`));

/** Host pid of an engine's keeper; undefined when none runs. */
export function keeperOf(engineDir: string): number | undefined {
  return proc.pids().find((pid) => proc.name(pid) === 'appshot-keeper' && proc.text(pid, 'cmdline').split('\0').includes(engineDir));
}

/** Memory of all processes of an engine (keeper, zygotes, instances) by their proportional share, bytes. */
export function engineMemory(engineDir: string): number {
  const keeper = keeperOf(engineDir);
  if (keeper === undefined) return 0;
  return [keeper, ...proc.descendants(keeper)].reduce((sum, pid) => sum + 1024 * Number(/^Pss:\s+(\d+)/m.exec(proc.text(pid, 'smaps_rollup'))?.[1] ?? 0), 0);
}
