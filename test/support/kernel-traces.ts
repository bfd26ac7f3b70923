import { readdirSync } from 'node:fs';
import path from 'node:path';
import { proc } from '@appshot/runtime';
import { waitUntil } from '@appshot/runtime/testing';
// @ts-expect-error: a script of the setup, in plain JavaScript.
import { ownerOf } from '../../scripts/lib/engine-leftovers.mjs';
import { run } from './run-command.js';

/**
 * Everything in the kernel that belongs to the engine in `engineDir` or names the folder `root`: processes (and with them
 * their namespaces), mounts in any namespace, cgroups, interfaces, routes, packet filter tables. One line each; empty when
 * there is nothing.
 */
async function kernelTraces(root: string, engineDir: string): Promise<string[]> {
  const owner = ownerOf(engineDir) as string;
  const [links, tables, routes] = await Promise.all([output('ip', ['-o', 'link']), output('nft', ['list', 'tables']), output('ip', ['route', 'show', 'table', 'all'])]);
  // network.cc marks the routes for an engine's unused addresses with this metric.
  const metric = `metric ${((0xff000000 | (Number.parseInt(owner, 16) & 0xffffff)) >>> 0)}`;
  return [
    ...proc.pids().flatMap((pid) => traceOfProcess(pid, { root, owner })),
    ...cgroupsOf(owner).map((folder) => `cgroup ${folder}`),
    ...links.filter((line) => line.includes(`as${owner}.`)).map((line) => `link ${line}`),
    ...tables.filter((line) => line.includes(`appshot_${owner}`)),
    ...routes.filter((line) => line.includes(`as${owner}.`) || line.includes(metric)).map((line) => `route ${line}`),
  ];
}

/** The same, after what is just exiting had time for it. */
export async function lastingTraces(root: string, engineDir: string): Promise<string[]> {
  let traces: string[] = [];
  await waitUntil(async () => (traces = await kernelTraces(root, engineDir)).length === 0, { everyMs: 50, what: 'nothing to be left' }).catch(() => undefined);
  return traces;
}

/** The cgroup directories of an engine, in all hierarchies. */
function cgroupsOf(owner: string): string[] {
  const mounts = proc.text('self', 'mounts').split('\n').map((line) => line.split(' ')).filter(([, , type]) => type === 'cgroup' || type === 'cgroup2');
  return mounts.flatMap(([, at]) => named(at ?? '', `appshot-${owner}`, 5));
}

function named(folder: string, name: string, depth: number): string[] {
  if (depth === 0) return [];
  return foldersIn(folder).flatMap((entry) => (entry === name ? [path.join(folder, entry)] : named(path.join(folder, entry), name, depth - 1)));
}

function traceOfProcess(pid: number, { root, owner }: { root: string; owner: string }): string[] {
  const [command, environment, name] = [proc.command(pid), proc.text(pid, 'environ'), proc.name(pid)];
  const isOurs = command.includes(root) || environment.includes(`${root}/`) || environment.includes(`${root}\0`) || proc.text(pid, 'cgroup').includes(`appshot-${owner}`);
  if (isOurs && pid !== process.pid) return [`process ${pid} ${name} ${command}`];
  return proc.text(pid, 'mountinfo').split('\n').filter((line) => line.includes(root)).map((line) => `mount seen by ${pid} ${name} (${proc.link(pid, 'ns/mnt')}): ${line}`);
}

async function output(command: string, args: readonly string[]): Promise<string[]> {
  return (await run(command, args)).stdout.split('\n').filter((line) => line !== '');
}

function foldersIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch {
    return [];
  }
}
