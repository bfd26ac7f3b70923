import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { processes, readText } from './kernel-traces.js';

/** Host pids of everything in a running instance's pod, the pod's own init not counted. */
export function pidsOf(engineDir: string, aid: string): number[] {
  const state = JSON.parse(readFileSync(path.join(engineDir, 'instances', aid, 'state.json'), 'utf8')) as { pod: { name: string; init: number } };
  return processes().filter((pid) => isIn(pid, state.pod.name)).map(Number).filter((pid) => pid !== state.pod.init);
}

const isIn = (pid: string, pod: string): boolean => readText(`/proc/${pid}/cgroup`).split('\n').some((line) => line.endsWith(`/${pod}`));

/** Whether any of these processes is still there. */
export const someLive = (pids: readonly number[]): boolean => pids.some((pid) => existsSync(`/proc/${pid}`));

/** Host pid of an engine's keeper; undefined when none runs. */
export function keeperOf(engineDir: string): number | undefined {
  const pid = processes().find((one) => readText(`/proc/${one}/comm`) === 'appshot-keeper\n' && readText(`/proc/${one}/cmdline`).split('\0').includes(engineDir));
  return pid === undefined ? undefined : Number(pid);
}

/** Memory of all processes of an engine (keeper, zygotes, instances) by their proportional share, bytes. */
export function engineMemory(engineDir: string): number {
  const keeper = keeperOf(engineDir);
  if (keeper === undefined) return 0;
  return descendantsOf(String(keeper)).reduce((sum, pid) => sum + 1024 * Number(/^Pss:\s+(\d+)/m.exec(readText(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0), 0);
}

/** The process and all below it. Children are found by their parents: /proc lists those of each thread apart. */
function descendantsOf(pid: string, all = processes().map((one) => ({ one, parent: parentOf(one) }))): string[] {
  return [pid, ...all.filter(({ parent }) => parent === pid).flatMap(({ one }) => descendantsOf(one, all))];
}

const parentOf = (pid: string): string => /^PPid:\s+(\d+)/m.exec(readText(`/proc/${pid}/status`))?.[1] ?? '';
