import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import { waitUntil } from '@appshot/runtime/testing';
import test from 'ava';
// @ts-expect-error: a script of the setup, in plain JavaScript.
import { removeDeadRuns } from '../scripts/lib/leftovers.mjs';

const leftovers = path.join(import.meta.dirname, '../scripts/lib/leftovers.mjs');

/** A run that makes a file and starts a process, says where and who, and waits. */
const run = `
  import { spawn } from 'node:child_process';
  import { writeFileSync } from 'node:fs';
  import { openRunFolder } from '${leftovers}';
  const folder = await openRunFolder();
  writeFileSync(folder + '/made', '');
  const child = spawn('sleep', ['3600'], { env: { ...process.env, TMPDIR: folder }, stdio: 'ignore', detached: true });
  console.log(JSON.stringify({ folder, pid: child.pid }));
`;

async function startRun(): Promise<{ folder: string; pid: number; kill: () => Promise<void> }> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', run], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(readline.createInterface(child.stdout), 'line') as [string];
  const { folder, pid } = JSON.parse(line) as { folder: string; pid: number };
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  return { folder, pid, kill };
}

test('what a killed run left is ended and removed by the next, and nothing of a run that goes on', async (t) => {
  const [killed, alive] = [await startRun(), await startRun()];
  t.teardown(async () => {
    await Promise.all([killed.kill(), alive.kill()]);
    await removeDeadRuns();
  });
  t.true(existsSync(`/proc/${killed.pid}`));
  await killed.kill();
  await removeDeadRuns();
  t.false(existsSync(killed.folder));
  await waitUntil(() => !existsSync(`/proc/${killed.pid}`), { what: 'its process to be gone' });
  t.true(existsSync(path.join(alive.folder, 'made')));
  t.true(existsSync(`/proc/${alive.pid}`));
});
