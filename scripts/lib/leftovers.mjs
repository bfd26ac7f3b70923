import { readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { cleanEnginesBelow } from './engine-leftovers.mjs';
import { runCommand } from './run-command.mjs';

const parent = '/tmp';
const prefix = 'appshot-test-run-';

/** The folder below which everything that the test run of this pid makes is kept. */
export const runFolder = (pid) => path.join(parent, `${prefix}${pid}`);

const isAlive = async (pid) => (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).includes('test.mjs');

const mentions = (text, folder) => new RegExp(`${folder}(?![0-9])`).test(text);

/** Processes that belong to a test run: its folder stands in their environment or command line. */
async function processesOf(folder) {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => pid !== process.pid);
  const belongs = await Promise.all(pids.map(async (pid) => {
    const texts = await Promise.all(['environ', 'cmdline'].map((file) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '')));
    return texts.some((text) => mentions(text, folder));
  }));
  return pids.filter((_, index) => belongs[index]);
}

async function endProcesses(folder) {
  for (let round = 0; round < 50; round += 1) {
    const pids = await processesOf(folder);
    if (pids.length === 0) return;
    for (const pid of pids) {
      try { process.kill(pid, 'SIGKILL'); } catch { /* it has just ended */ }
    }
    await pause(100);
  }
}

async function unmountBelow(folder) {
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').map((line) => line.split(' ')[1] ?? '');
  for (const mount of mounts.filter((point) => mentions(point, folder)).reverse()) {
    await runCommand('umount', ['-l', mount], { allowFailure: true });
  }
}

/** Ends and removes what the test run of this pid left behind, or, without one, what all dead runs did. */
export async function cleanLeftovers(ofPid) {
  const runs = (await readdir(parent)).filter((name) => name.startsWith(prefix)).map((name) => Number(name.slice(prefix.length)));
  for (const pid of runs) {
    if (ofPid === undefined ? await isAlive(pid) : pid !== ofPid) continue;
    const folder = runFolder(pid);
    await endProcesses(folder);
    await cleanEnginesBelow(folder);
    await unmountBelow(folder);
    await rm(folder, { recursive: true, force: true });
  }
}
