import { mkdir, open, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { paths } from './paths.mjs';

const lockFile = path.join(paths.build, 'setup.lock');

function isAlive(pid) {
  try { process.kill(pid, 0); return true; } catch (error) { return error.code === 'EPERM'; }
}

async function tryLock() {
  try {
    const file = await open(lockFile, 'wx');
    await file.writeFile(String(process.pid));
    await file.close();
    return null;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    return Number.parseInt(await readFile(lockFile, 'utf8').catch(() => ''), 10);
  }
}

/** One setup of this folder at a time; a second waits for the first. A lock whose owner died is taken over. */
export async function withSetupLock(say, work) {
  await mkdir(paths.build, { recursive: true });
  for (let told = false; ; told = true) {
    const owner = await tryLock();
    if (owner === null) break;
    if (!Number.isNaN(owner) && !isAlive(owner)) { await rm(lockFile, { force: true }); continue; }
    if (!told) say(`waiting for another setup of this folder${Number.isNaN(owner) ? '' : ` (pid ${owner})`}`);
    await pause(200);
  }
  try { return await work(); } finally { await rm(lockFile, { force: true }); }
}
