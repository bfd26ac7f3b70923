import { readFile } from 'node:fs/promises';

/** Memory that only this process has, bytes: what it would give back if it ended. From /proc/PID/smaps_rollup. */
export async function privateMemory(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8');
  const kilobytes = [...text.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+) kB/gm)].reduce((sum, match) => sum + Number(match[1]), 0);
  return kilobytes * 1024;
}
