import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import path from 'node:path';

/**
 * What the kernel shows of processes that may end at any moment, and of those that are none of ours: what is not there (any more), or
 * may not be seen, reads as empty. Any other failure throws.
 */
export const proc = {
  /** All processes of this machine that are seen from here. */
  pids: (): number[] => readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number),

  /** `/proc/PID/FILE`, as it stands; '' for a process that has ended. */
  text: (pid: Pid, file: string, encoding: 'utf8' | 'latin1' = 'utf8'): string => ifThere(() => readFileSync(place(pid, file), encoding), ''),

  /** What the link `/proc/PID/FILE` leads to; '' for a process that has ended, or a descriptor that it has closed. */
  link: (pid: Pid, file: string): string => ifThere(() => readlinkSync(place(pid, file)), ''),

  /** Names in the directory `/proc/PID/FILE`; none for a process that has ended. */
  entries: (pid: Pid, file: string): string[] => ifThere(() => readdirSync(place(pid, file)), []),

  /** 'nginx'; '' when it has ended. */
  name: (pid: Pid): string => proc.text(pid, 'comm').trimEnd(),

  /** Program and arguments, with spaces between; '' when it has ended. */
  command: (pid: Pid): string => proc.text(pid, 'cmdline').replaceAll('\0', ' ').trim(),

  /** The processes whose parent it is, theirs, and so on. By their parents: the kernel's lists of children leave some out while others end. */
  descendants(pid: number): number[] {
    const parents = new Map(proc.pids().map((one) => [one, Number(/^PPid:\s+(\d+)/m.exec(proc.text(one, 'status'))?.[1] ?? -1)]));
    const below = (parent: number): number[] => [...parents].filter(([, of]) => of === parent).flatMap(([one]) => [one, ...below(one)]);
    return below(pid);
  },
};

type Pid = number | string;

const place = (pid: Pid, file: string): string => path.join('/proc', String(pid), file);

/** ESRCH is what reading an open file of a process says that has just ended; EACCES, what a first thread says that has. */
const absences = new Set<string | undefined>(['ENOENT', 'ESRCH', 'EACCES', 'EPERM', 'EINVAL']);

function ifThere<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch (error) {
    if (absences.has((error as NodeJS.ErrnoException).code)) return otherwise;
    throw error;
  }
}
