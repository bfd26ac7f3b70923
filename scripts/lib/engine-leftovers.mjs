import { readdir, readFile, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { runCommand } from './run-command.mjs';

/** What an engine calls its cgroups, interfaces and packet filter by: as native/core/pod/owner.cc makes it from its folder. */
export function ownerOf(directory) {
  const mask = (1n << 64n) - 1n;
  let hash = 0xcbf29ce484222325n;
  for (const byte of Buffer.from(directory)) hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & mask;
  return ((hash ^ (hash >> 32n)) & 0xffffffffn).toString(16).padStart(8, '0');
}

/** Folders below `folder` in which an engine has worked. */
async function enginesBelow(folder) {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  if (entries.some((entry) => entry.name === 'keeper.lock' || entry.name === 'keeper.sock')) return [folder];
  const inner = await Promise.all(entries.filter((entry) => entry.isDirectory()).map((entry) => enginesBelow(path.join(folder, entry.name))));
  return inner.flat();
}

/** The directories of this name, and what is in them, in all cgroup hierarchies; the innermost first. */
async function cgroupsNamed(name) {
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').map((line) => line.split(' ')).filter(([, , type]) => type === 'cgroup' || type === 'cgroup2');
  const walk = async (folder) => {
    const inner = (await readdir(folder, { withFileTypes: true }).catch(() => [])).filter((entry) => entry.isDirectory());
    return [...(await Promise.all(inner.map((entry) => walk(path.join(folder, entry.name))))).flat(), folder];
  };
  const found = await Promise.all(mounts.map(async ([, at]) => (await readdir(at).catch(() => [])).includes(name) ? walk(path.join(at, name)) : []));
  return found.flat();
}

async function endCgroups(name) {
  const groups = await cgroupsNamed(name);
  for (let round = 0; round < 50; round += 1) {
    const pids = (await Promise.all(groups.map((group) => readFile(path.join(group, 'cgroup.procs'), 'utf8').catch(() => '')))).join('').split('\n').filter(Boolean);
    if (pids.length === 0) break;
    for (const pid of pids) {
      try { process.kill(Number(pid), 'SIGKILL'); } catch { /* it has just ended */ }
    }
    await pause(50);
  }
  for (const group of groups) await rmdir(group).catch(() => undefined);
}

async function removeNetwork(owner) {
  const links = (await runCommand('ip', ['-o', 'link'], { allowFailure: true })).output.matchAll(new RegExp(`^\\d+: (as${owner}\\.\\d+)`, 'gm'));
  for (const [, link] of links) await runCommand('ip', ['link', 'del', link], { allowFailure: true });
  const tables = (await runCommand('nft', ['list', 'tables'], { allowFailure: true })).output.matchAll(new RegExp(`^table (\\w+) (appshot_${owner})$`, 'gm'));
  for (const [, family, table] of tables) await runCommand('nft', ['delete', 'table', family, table], { allowFailure: true });
}

/** The routes that keep packets for an engine's unused addresses on this machine carry its mark as their metric (network.cc). */
async function removeRoutes(owner) {
  const metric = (0xff000000 | (Number.parseInt(owner, 16) & 0xffffff)) >>> 0;
  const routes = (await runCommand('ip', ['route', 'show', 'type', 'unreachable'], { allowFailure: true })).output.matchAll(new RegExp(`^unreachable (\\S+) .*metric ${metric}\\b`, 'gm'));
  for (const [, address] of routes) await runCommand('ip', ['route', 'del', 'unreachable', address, 'metric', String(metric)], { allowFailure: true });
}

/** Ends and removes what killed engines below this folder left in the kernel: processes, cgroups, interfaces, packet filters, routes. */
export async function cleanEnginesBelow(folder) {
  for (const engine of await enginesBelow(folder)) {
    const owner = ownerOf(engine);
    await endCgroups(`appshot-${owner}`);
    await removeNetwork(owner);
    await removeRoutes(owner);
  }
}
