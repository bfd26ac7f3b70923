import { readFile } from 'node:fs/promises';
import os from 'node:os';
import type { NodeLoad } from '@appshot/protocol';

/** Jiffies of all CPUs together since boot. */
export interface CpuTimes { readonly busy: number; readonly total: number }

/** The first line of /proc/stat. Time waiting for a disk is idle time; guests' time is in `user` already. */
export function parseCpuTimes(stat: string): CpuTimes {
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] =
    (stat.split('\n', 1)[0] ?? '').split(/\s+/).slice(1).map(Number);
  const busy = user + nice + system + irq + softirq + steal;
  return { busy, total: busy + idle + iowait };
}

/** Of /proc/meminfo, bytes. */
export function parseMemory(meminfo: string): { totalBytes: number; availableBytes: number } {
  const kibibytes = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(meminfo)?.[1] ?? 0);
  return { totalBytes: kibibytes('MemTotal') * 1024, availableBytes: kibibytes('MemAvailable') * 1024 };
}

/** `some avg10` of a file of /proc/pressure, percent. */
export function parsePressure(text: string): number {
  return Number(/^some avg10=([\d.]+)/m.exec(text)?.[1] ?? 0);
}

/** Null where the kernel does not measure pressure. */
async function readPressure(): Promise<NodeLoad['pressure']> {
  try {
    const [cpu, memory, io] = await Promise.all(['cpu', 'memory', 'io'].map(async (name) => parsePressure(await readFile(`/proc/pressure/${name}`, 'utf8'))));
    return { cpu: cpu ?? 0, memory: memory ?? 0, io: io ?? 0 };
  } catch {
    return null;
  }
}

export type NodeUse = Pick<NodeLoad, 'cpus' | 'cpuUsed' | 'memoryTotalBytes' | 'memoryAvailableBytes' | 'pressure'>;

/** What this machine uses, from one reading to the next. */
export class NodeMeter {
  readonly #cpus = os.availableParallelism();
  #last: CpuTimes | null = null;

  async read(): Promise<NodeUse> {
    const [stat, meminfo, pressure] = await Promise.all([readFile('/proc/stat', 'utf8'), readFile('/proc/meminfo', 'utf8'), readPressure()]);
    const times = parseCpuTimes(stat);
    const memory = parseMemory(meminfo);
    const last = this.#last ?? times;
    this.#last = times;
    const share = times.total > last.total ? (times.busy - last.busy) / (times.total - last.total) : 0;
    return {
      cpus: this.#cpus,
      cpuUsed: Math.max(0, share) * this.#cpus,
      memoryTotalBytes: memory.totalBytes,
      memoryAvailableBytes: memory.availableBytes,
      pressure,
    };
  }
}
