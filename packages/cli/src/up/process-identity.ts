import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** A process, told from a later one that got the same pid by when it started (clock ticks since boot). */
export const ProcessIdentity = z.object({ pid: z.number().int().positive(), startedAt: z.string() });
export type ProcessIdentity = z.infer<typeof ProcessIdentity>;

/** Null when there is no such process, or only its zombie. */
export function identityOf(pid: number): ProcessIdentity | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name, in parentheses, may hold spaces and parentheses itself.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, startedAt] = [fields[0], fields[19]];
    return state === 'Z' || startedAt === undefined ? null : { pid, startedAt };
  } catch {
    return null;
  }
}

export function isAlive(process: ProcessIdentity): boolean {
  return identityOf(process.pid)?.startedAt === process.startedAt;
}
