import { mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { cleanEnginesBelow } from './engine-leftovers.mjs';
import { runCommand } from './run-command.mjs';

const parent = '/tmp';
const prefix = 'appshot-run-';

/** When this process started, in clock ticks since boot: tells it from a later one that got its pid. Undefined where there is none. */
function startOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name, in parentheses, may hold spaces and parentheses itself.
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]).toString(36);
  } catch {
    return undefined;
  }
}

/** Whether the run that made this folder still goes on. */
function isOwned(name) {
  const [, pid, start] = /^(\d+)-([0-9a-z]+)$/.exec(name.slice(prefix.length)) ?? [];
  return pid !== undefined && startOf(pid) === start;
}

/** Removes what runs left that were killed. */
export async function removeDeadRuns() {
  for (const name of (await readdir(parent)).filter((one) => one.startsWith(prefix) && !isOwned(one))) await removeRun(path.join(parent, name));
}

/**
 * The folder below which everything lies that this process and those it starts make in temporary places, once they have it as `TMPDIR`:
 * files are found there, and processes and engines by it. What killed runs left goes first.
 */
export async function openRunFolder() {
  await removeDeadRuns();
  const folder = path.join(parent, `${prefix}${process.pid}-${startOf(process.pid)}`);
  // Instances, which have users of their own, have their files below it.
  mkdirSync(folder, { recursive: true, mode: 0o711 });
  return folder;
}

/** Names of what tests have left in it. What tsx keeps there is none of theirs. */
export function leftIn(folder) {
  rmSync(path.join(folder, `tsx-${process.getuid?.() ?? 0}`), { recursive: true, force: true });
  return readdirSync(folder);
}

/** For the last moment of a process: removes the folder if it is empty, and leaves it to the next run otherwise. @returns what is in it */
export function closeRunFolder(folder) {
  const left = leftIn(folder);
  if (left.length === 0) rmdirSync(folder);
  return left;
}

const mentions = (text, folder) => new RegExp(`${folder}(?![0-9a-z])`).test(text);

/** Processes that belong to a run: its folder stands in their environment or command line. */
async function processesOf(folder) {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => pid !== process.pid);
  const belongs = await Promise.all(pids.map(async (pid) => {
    const texts = await Promise.all(['environ', 'cmdline'].map((file) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '')));
    return texts.some((text) => mentions(text, folder));
  }));
  return pids.filter((_, index) => belongs[index]);
}

/**
 * A keeper that ends by itself takes back what it has in the kernel, and knows what that is, when the folder by whose name others would find
 * it has been removed already: routes for thousands of addresses stayed behind otherwise.
 */
async function endKeepers(folder) {
  const isKeeper = async (pid) => (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')).trim() === 'appshot-keeper';
  for (let round = 0; round < 100; round += 1) {
    const pids = await processesOf(folder);
    const keepers = (await Promise.all(pids.map(isKeeper))).flatMap((is, index) => (is ? [pids[index]] : []));
    if (keepers.length === 0) return;
    for (const pid of round === 0 ? keepers : []) {
      try { process.kill(pid, 'SIGTERM'); } catch { /* it has just ended */ }
    }
    await pause(100);
  }
}

async function endProcesses(folder) {
  await endKeepers(folder);
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

/** Ends and removes everything that belongs to the run of this folder: processes, what engines have in the kernel, mounts, files. */
export async function removeRun(folder) {
  await endProcesses(folder);
  await cleanEnginesBelow(folder);
  await unmountBelow(folder);
  // Two runs that begin together remove the same folders.
  await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
}
