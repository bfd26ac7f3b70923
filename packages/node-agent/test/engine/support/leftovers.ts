import { readdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { execFile } from 'node:child_process';
import { proc } from '@appshot/runtime';
import { waitUntil } from '@appshot/runtime/testing';

const run = promisify(execFile);

/** As the engine derives it: FNV-1a of the directory's path, folded to 32 bits. */
export function ownerOf(dir: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of Buffer.from(dir)) hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn;
  return ((hash ^ (hash >> 32n)) & 0xffffffffn).toString(16).padStart(8, '0');
}

/** Waits until nothing of an engine is left on the machine: processes, cgroups, interfaces, routes, rules, mounts, files. */
export async function awaitNothingLeft(dir: string): Promise<void> {
  let left: string[] = [];
  await waitUntil(async () => (left = await leftovers(dir)).length === 0, { everyMs: 100, what: 'the engine to leave nothing' })
    .catch((error: unknown) => { throw new Error(`left over of ${dir}: ${left.join(', ')}`, { cause: error }); });
}

export async function leftovers(dir: string): Promise<string[]> {
  const owner = ownerOf(dir);
  const [links, tables, cgroups, processes, mounts, files] = await Promise.all([
    run('ip', ['-o', 'link']).then(({ stdout }) => stdout.split('\n').filter((line) => line.includes(`as${owner}.`))),
    run('nft', ['list', 'tables']).then(({ stdout }) => stdout.split('\n').filter((line) => line.includes(`appshot_${owner}`))),
    cgroupsOf(owner),
    processesOf(dir),
    readFile('/proc/self/mounts', 'utf8').then((text) => text.split('\n').filter((line) => line.includes(dir))),
    readdir(dir, { recursive: true }).catch(() => [] as string[]),
  ]);
  return [
    ...links.map((line) => `interface ${line}`), ...tables.map((line) => `rules ${line}`), ...cgroups.map((path) => `cgroup ${path}`),
    ...processes.map((line) => `process ${line}`), ...mounts.map((line) => `mount ${line}`),
    ...files.filter((name) => name !== 'keeper.log').map((name) => `file ${name}`),
  ];
}

async function cgroupsOf(owner: string): Promise<string[]> {
  const { stdout } = await run('find', ['/sys/fs/cgroup', '-maxdepth', '6', '-name', `appshot-${owner}`]).catch(() => ({ stdout: '' }));
  return stdout.split('\n').filter((line) => line !== '');
}

/** The keeper by its command line; everything else of the engine by its program or root being in the directory. */
function processesOf(dir: string): string[] {
  const isOurs = (pid: number): boolean => `${proc.command(pid)} `.includes(`--dir ${dir} `) || proc.link(pid, 'cwd').startsWith(`${dir}/`);
  return proc.pids().filter((pid) => pid !== process.pid && isOurs(pid)).map((pid) => `${pid} ${proc.name(pid)} ${proc.command(pid)}`);
}
