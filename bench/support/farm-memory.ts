import { readdir, readFile } from 'node:fs/promises';
import { privateMemory } from './private-memory.js';

/** Private memory of the keeper of an engine and of what it has started outside of instances, bytes. */
export async function engineMemory(dir: string): Promise<number> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const mine = await Promise.all(pids.map(async (pid) => {
    const commandLine = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ');
    return commandLine.includes(`appshot-keeper --dir ${dir}`) ? privateMemory(Number(pid)) : 0;
  }));
  return mine.reduce((sum, bytes) => sum + bytes, 0);
}
