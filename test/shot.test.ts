import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { waitUntil } from '@appshot/runtime/testing';
import test from 'ava';
// @ts-expect-error: a script of the setup, in plain JavaScript.
import { cleanEnginesBelow } from '../scripts/lib/engine-leftovers.mjs';
import { keeperOf, someLive } from './support/instance-processes.js';
import { lastingTraces } from './support/kernel-traces.js';
import { type Ended, examplesDir, programs, run } from './support/run-command.js';

const root = realpathSync(mkdtempSync(path.join(tmpdir(), 'appshot-shot-')));
const dir = path.join(root, 'engine');

test.after.always(async () => {
  for (const { aid } of (await shotJson<{ running: { aid: string }[] }>('list').catch(() => ({ running: [] }))).running) await shot('stop', aid);
  await waitUntil(() => keeperOf(dir) === undefined, { what: 'the keeper to end' }).catch(() => undefined);
  await cleanEnginesBelow(root);
  rmSync(root, { recursive: true, force: true });
});

interface Started { readonly aid: string; readonly pid: number; readonly address: string; readonly phases: Record<string, number> }
interface Row { readonly vpid: number; readonly pid: number; readonly comm: string; readonly state: string }

const shot = (verb: string, ...args: readonly string[]): Promise<Ended> => run(process.execPath, [programs.shot, verb, '--dir', dir, ...args]);

async function shotJson<T>(verb: string, ...args: readonly string[]): Promise<T> {
  const { status, stdout, stderr } = await shot(verb, '--json', ...args);
  if (status !== 0) throw new Error(`shot ${verb} ${args.join(' ')}: ${status} ${stderr}`);
  return JSON.parse(stdout) as T;
}

const visits = async ({ address }: Started): Promise<number> => (await (await fetch(`http://${address}/`)).json() as { visits: number }).visits;

let original: Started;

test.serial('launch returns when the port answers, and says where', async (t) => {
  original = await shotJson<Started>('launch', '--aid', 'site', '--cwd', path.join(examplesDir, 'node-counter'), '--port', '3000', '--ready', '/healthz', '--', 'node', 'server.js');
  t.is(original.aid, 'site');
  t.regex(original.address, /^\d+\.\d+\.\d+\.\d+:3000$/);
  t.true(Object.keys(original.phases).length > 0);
  t.is(await visits(original), 1);
});

test.serial('ps lists its processes by both their ids', async (t) => {
  const rows = await shotJson<Row[]>('ps', 'site');
  t.is(rows.length, 1);
  t.like(rows[0], { pid: original.pid, comm: 'node' });
  t.true((rows[0]?.vpid ?? 0) > 1);
});

test.serial('exec runs a command inside, with its output and its status', async (t) => {
  const inside = await shot('exec', 'site', '--', 'sh', '-c', 'hostname; id -u; exit 7');
  t.is(inside.status, 7, inside.stderr);
  const [hostName, uid] = inside.stdout.split('\n');
  t.is(hostName, 'site');
  t.not(uid, '0');
});

test.serial('snapshot and restore: asleep it has no process, awake it goes on', async (t) => {
  const taken = await shotJson<{ aid: string; image: string; bytes: number; stoppedMs: number }>('snapshot', 'site');
  t.like(taken, { aid: 'site', image: 'site' });
  t.true(taken.bytes > 0 && taken.stoppedMs > 0);
  await waitUntil(() => !someLive([original.pid]), { what: 'its process to be gone' });
  t.is((await shot('ps', 'site')).status, 1);
  const vpid = (await shotJson<{ processes: { pid: number }[] }>('inspect', 'site')).processes[0]?.pid;
  const restored = await shotJson<Started>('restore', 'site');
  t.is(await visits(restored), 2);
  t.is((await shotJson<Row[]>('ps', 'site'))[0]?.vpid, vpid);
});

test.serial('a snapshot may let it run on', async (t) => {
  const [before] = await shotJson<Row[]>('ps', 'site');
  await shotJson('snapshot', 'site', '--keep-running');
  t.deepEqual((await shotJson<Row[]>('ps', 'site')).map(({ pid }) => pid), [before?.pid]);
});

test.serial('clones answer each for itself, from where the original was', async (t) => {
  const clones = await shotJson<Started[]>('clone', 'site', '--count', '3');
  t.deepEqual(clones.map(({ aid }) => aid), ['site-1', 'site-2', 'site-3']);
  t.is(new Set(clones.map(({ address }) => address)).size, 3);
  t.deepEqual(await Promise.all(clones.map(visits)), [3, 3, 3]);
  t.is(await visits(clones[0] as Started), 4);
  t.is(await visits(clones[1] as Started), 4);
});

test.serial('inspect names every resource of an instance', async (t) => {
  const found = await shotJson<{ processes: { threads: unknown[]; descriptors: { kind: string }[] }[] }>('inspect', 'site');
  t.true((found.processes[0]?.threads.length ?? 0) > 1);
  t.true(found.processes[0]?.descriptors.some(({ kind }) => kind === 'tcp-listen') ?? false);
});

test.serial('kill sends a signal to one process; the instance ends with it', async (t) => {
  t.is((await shot('kill', 'site-3')).status, 0);
  await waitUntil(async () => (await shot('ps', 'site-3')).status === 1, { what: 'the clone to end' });
  t.is((await shot('kill', '-s', 'STOP', 'site-2')).status, 0);
  await waitUntil(async () => (await shotJson<Row[]>('ps', 'site-2'))[0]?.state === 'T', { what: 'it to be stopped' });
  t.is((await shot('kill', '-s', 'CONT', 'site-2')).status, 0);
});

test.serial('what is wrong is said, with 1 for what failed and 2 for wrong usage', async (t) => {
  const unknown = await shot('restore', 'nobody', '--json');
  t.is(unknown.status, 1);
  t.is((JSON.parse(unknown.stderr) as { error: { code: string } }).error.code, 'not-found');
  t.is((await shot('launch')).status, 2);
  t.is((await shot('clone', 'site', '--count', 'many')).status, 2);
  t.is((await shot('no-such-verb')).status, 2);
  const missing = await shot('launch', '--aid', 'missing', '--', 'no-such-program');
  t.is(missing.status, 1);
  t.regex(missing.stderr, /no-such-program/);
  const early = await shot('launch', '--aid', 'early', '--port', '3000', '--', 'sh', '-c', 'echo goodbye; exit 3');
  t.is(early.status, 1);
  t.regex(early.stderr, /goodbye/);
});

test.serial('the keeper ends after the last instance is stopped, and nothing is left', async (t) => {
  const { running } = await shotJson<{ running: { aid: string }[] }>('list');
  t.deepEqual(running.map(({ aid }) => aid).sort(), ['site', 'site-1', 'site-2']);
  t.not(keeperOf(dir), undefined);
  for (const { aid } of running) t.true((await shotJson<{ exited: boolean }>('stop', aid)).exited);
  await waitUntil(() => keeperOf(dir) === undefined, { what: 'the keeper to end' });
  t.deepEqual(await lastingTraces(root, dir), []);
});
