import { cp, mkdtemp, readFile, realpath, rm } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { parseRules } from '@appshot/protocol';
import { patienceMs } from '@appshot/runtime/testing';
import type { ExecutionContext } from 'ava';
import type { LaunchSpec, Running } from '../../src/engine/engine.js';
import type { KeeperEngine } from '../../src/engine/keeper-engine.js';
import { openEngine } from '../../src/engine/open-engine.js';
import { awaitNothingLeft } from '../engine/support/leftovers.js';
import { run } from '../engine/support/test-engine.js';

const fixtures = path.join(import.meta.dirname, 'fixtures');

export interface CloneFarm {
  readonly engine: KeeperEngine;
  readonly site: string;
  /** What the instance has written. */
  log(aid: string): Promise<string>;
  launch(aid: string, command: readonly string[], more?: Partial<Omit<LaunchSpec, 'rules'>> & { readonly rules?: string }): Promise<Running>;
}

/** An engine of the test's own, with the programs of fixtures/ in its site; leaves nothing behind. */
export async function cloneFarm(t: ExecutionContext): Promise<CloneFarm> {
  const top = await realpath(await mkdtemp(path.join(os.tmpdir(), 'appshot-clones-')));
  t.teardown(() => rm(top, { recursive: true, force: true }));
  const [dir, site] = [path.join(top, 'engine'), path.join(top, 'site')];
  await cp(fixtures, site, { recursive: true });
  const compile = (out: string, ...more: string[]) => run('cc', ['-O1', '-Wall', '-Wextra', '-Werror', '-o', path.join(site, out), path.join(site, 'twin.c'), ...more, '-lrt']);
  await Promise.all([compile('twin'), compile('twin-static', '-static'), compile('twin-runtime', '-rdynamic', '-Wl,--defsym=napi_module_register=main')]);
  const engine = await openEngine({ dir });
  t.teardown(async () => {
    const { running, images } = await engine.list();
    for (const { aid } of running) await engine.stop(aid);
    for (const { id } of images) await engine.removeImage(id);
    await engine.close();
    await awaitNothingLeft(dir);
  });
  const launch: CloneFarm['launch'] = (aid, command, { rules = '', ...more } = {}) => {
    const parsed = parseRules(rules);
    t.deepEqual(parsed.problems, []);
    return engine.launch({ aid, command, cwd: site, env: {}, volumes: [], port: 3000, readyWithinMs: patienceMs, rules: parsed.rules, ...more });
  };
  const log = (aid: string): Promise<string> => readFile(path.join(dir, 'instances', aid, 'self/log'), 'utf8');
  return { engine, site, log, launch };
}

/** What the twin program says of each of its resources. */
export async function twin({ ip }: Pick<Running, 'ip'>, line = 'get'): Promise<Record<string, string>> {
  const text = await new Promise<string>((resolve, reject) => {
    let said = '';
    const socket = net.connect(3000, ip, () => socket.write(`${line}\n`));
    socket.setTimeout(patienceMs, () => socket.destroy(new Error('no answer')));
    socket.on('data', (chunk) => { said += chunk.toString(); });
    socket.on('end', () => resolve(said));
    socket.on('error', reject);
  });
  return Object.fromEntries(text.trim().split('\n').map((row) => row.split('=') as [string, string]));
}

export async function ask<T = Record<string, unknown>>({ ip }: Pick<Running, 'ip'>): Promise<T> {
  const response = await fetch(`http://${ip}:3000/`, { signal: AbortSignal.timeout(patienceMs), headers: { connection: 'close' } });
  return (await response.json()) as T;
}
