import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { proc } from '@appshot/runtime';
import { waitUntil } from '@appshot/runtime/testing';
import { ownerOf } from './leftovers.js';

const run = promisify(execFile);

/** What an engine holds of the machine: how many of each kind. */
export type Holdings = Readonly<Record<string, number>>;

/** What the engine holds once it has come to rest: the same twice in a row. */
export async function holdingsAtRest(dir: string, keeper: number): Promise<Holdings> {
  let last = '', holdings: Holdings = {};
  await waitUntil(async () => {
    holdings = await holdingsOf(dir, keeper);
    const now = JSON.stringify(holdings);
    const isSame = now === last;
    last = now;
    return isSame;
  }, { everyMs: 300, what: 'the engine to come to rest' });
  return holdings;
}

/** Waits until the engine holds what it held before, no more and no less. */
export async function awaitHoldings(dir: string, keeper: number, before: Holdings): Promise<void> {
  let difference = '';
  await waitUntil(async () => (difference = differenceOf(before, await holdingsOf(dir, keeper))) === '', { everyMs: 100, what: 'what failed to be given back' })
    .catch((error: unknown) => { throw new Error(`the engine does not hold what it held: ${difference}`, { cause: error }); });
}

function differenceOf(before: Holdings, now: Holdings): string {
  const kinds = [...new Set([...Object.keys(before), ...Object.keys(now)])];
  return kinds.filter((kind) => (before[kind] ?? 0) !== (now[kind] ?? 0)).map((kind) => `${kind}: ${before[kind] ?? 0}, now ${now[kind] ?? 0}`).join('; ');
}

async function holdingsOf(dir: string, keeper: number): Promise<Holdings> {
  const owner = ownerOf(dir);
  const pids = proc.descendants(keeper);
  const names = await Promise.all([
    linesWith('/proc/self/mounts', dir).then((lines) => lines.map(() => 'mount')),
    cgroupsOf(owner).then((all) => all.map(() => 'cgroup')),
    run('ip', ['-o', 'link']).then(({ stdout }) => stdout.split('\n').filter((line) => line.includes(`as${owner}.`)).map(() => 'interface')),
    descriptorsOf(keeper),
    pids.map((pid) => `process ${proc.name(pid) || 'gone'}`),
    namespacesOf(pids),
    looseLayersOf(dir).then((all) => all.map(() => 'loose layer')),
    Promise.all(['images', 'instances', 'berths', 'trash'].map(async (folder) => (await entriesOf(`${dir}/${folder}`)).map(() => `entry of ${folder}`))),
  ]);
  const counts: Record<string, number> = {};
  for (const name of names.flat(2)) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

const entriesOf = (folder: string): Promise<string[]> => readdir(folder).catch(() => []);

async function linesWith(file: string, text: string): Promise<string[]> {
  return (await readFile(file, 'utf8')).split('\n').filter((line) => line.includes(text));
}

async function cgroupsOf(owner: string): Promise<string[]> {
  const { stdout } = await run('find', ['/sys/fs/cgroup', '-type', 'd', '-path', `*/appshot-${owner}/*`]).catch(() => ({ stdout: '' }));
  return stdout.split('\n').filter((line) => line !== '');
}

function namespacesOf(pids: readonly number[]): string[] {
  const kinds = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'time', 'uts'];
  const all = pids.flatMap((pid) => kinds.map((kind) => proc.link(pid, `ns/${kind}`)));
  return [...new Set(all)].filter((name) => name !== '').map((name) => `namespace ${name.split(':')[0]}`);
}

/** What its descriptors are. Without connections to clients, which come and go. */
export function descriptorsOf(pid: number): string[] {
  const targets = proc.entries(pid, 'fd').map((fd) => proc.link(pid, `fd/${fd}`));
  return targets.filter((target) => target !== '' && !target.startsWith('socket:')).map((target) => `descriptor ${target.replaceAll(/[0-9a-f]{6,}|\d+/g, 'N')}`);
}

/**
 * Layers that no image, no instance and no berth refers to. (Their number alone says nothing: a sleep adds one to the chain of the
 * image, also one that fails after its image was published, and long chains are merged.)
 */
async function looseLayersOf(dir: string): Promise<string[]> {
  const readJson = <T>(file: string): Promise<T | undefined> => readFile(file, 'utf8').then((text) => JSON.parse(text) as T).catch(() => undefined);
  const used = new Set(await entriesOf(`${dir}/berths`));
  for (const id of await entriesOf(`${dir}/images`)) {
    for (const layer of (await readJson<{ layers: string[] }>(`${dir}/images/${id}/keeper.json`))?.layers ?? []) used.add(layer);
  }
  for (const aid of await entriesOf(`${dir}/instances`)) {
    const state = await readJson<{ layer: string; spec: { layers: string[] } }>(`${dir}/instances/${aid}/state.json`);
    for (const layer of state === undefined ? [] : [state.layer, ...state.spec.layers]) used.add(layer);
  }
  return (await entriesOf(`${dir}/layers`)).filter((layer) => !used.has(layer));
}
