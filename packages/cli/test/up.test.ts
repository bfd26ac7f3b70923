import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, waitUntil } from '@appshot/runtime/testing';
import test from 'ava';
import { ApiClient } from '../src/api/api-client.js';
import { Instances, type InstanceListing } from '../src/api/api-schemas.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** `appshot up` as a process of its own, with one example site. */
class Farm {
  readonly dir = mkdtempSync(path.join(tmpdir(), 'appshot-up-'));
  http = 0;
  api = new ApiClient('http://127.0.0.1:1');
  said = '';
  #child: ChildProcess | undefined;

  get isUp(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async up(): Promise<void> {
    const [http, api] = [await freePort(), await freePort()];
    [this.http, this.api, this.said] = [http, new ApiClient(`http://127.0.0.1:${api}`), ''];
    const args = ['up', '--dir', this.dir, '--http', `127.0.0.1:${http}`, '--api', `127.0.0.1:${api}`, '--deploy', path.join(root, 'examples/node-counter/app.yaml')];
    const child = spawn(process.execPath, [path.join(root, 'packages/cli/bin/appshot.js'), ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => { this.said += chunk.toString(); });
    await waitUntil(() => this.said.split('\n').includes('ready') || child.exitCode !== null, { what: 'the farm to be ready' });
    if (child.exitCode !== null) throw new Error(this.said);
  }

  async end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    if (child === undefined || !this.isUp) return child?.exitCode ?? null;
    const ended = once(child, 'exit') as Promise<[number | null]>;
    child.kill(signal);
    return (await ended)[0];
  }

  pidOf(child: string): number {
    return (JSON.parse(readFileSync(path.join(this.dir, 'run', `${child}.pid`), 'utf8')) as { pid: number }).pid;
  }

  async instance(): Promise<InstanceListing> {
    return (await this.api.get('/instances', Instances))[0] as InstanceListing;
  }

  visit(): Promise<{ visits: number }> {
    return new Promise((resolve, reject) => {
      request({ host: '127.0.0.1', port: this.http, headers: { host: 'counter.localhost' } }, (response) => {
        let body = '';
        response.on('data', (chunk) => { body += chunk; });
        response.on('end', () => (response.statusCode === 200 ? resolve(JSON.parse(body) as { visits: number }) : reject(new Error(body))));
      }).on('error', reject).end();
    });
  }
}

const farm = new Farm();

test.after.always(async () => {
  // Also when a test failed and the site could not sleep: nothing runs on.
  if (!farm.isUp) await farm.up();
  await farm.api.delete('/apps/counter').catch(() => undefined);
  await farm.end('SIGTERM');
  rmSync(farm.dir, { recursive: true, force: true });
});

test.serial('a farm comes up with its site, and each role that is killed is back', async (t) => {
  await farm.up();
  t.is((await farm.visit()).visits, 1);
  for (const role of ['agent', 'scheduler', 'gateway']) {
    const pid = farm.pidOf(role);
    process.kill(pid, 'SIGKILL');
    await waitUntil(() => farm.pidOf(role) !== pid, { what: `${role} to be started again` });
    await waitUntil(() => farm.said.includes(`${role} was started again`), { what: `${role} to be ready` });
  }
  t.is((await waitUntil(() => farm.visit())).visits, 2);
});

test.serial('what runs survives the supervisor, and the next one takes it over', async (t) => {
  const { aid } = await farm.instance();
  await farm.end('SIGKILL');
  await farm.up();
  t.is((await farm.instance()).aid, aid);
  t.is((await waitUntil(() => farm.visit())).visits, 3);
});

test.serial('ended, nothing runs; up again, the site sleeps and wakes with its memory', async (t) => {
  const { aid } = await farm.instance();
  const children = ['redis', 'nats', 'agent', 'scheduler', 'gateway'].map((name) => farm.pidOf(name));
  t.is(await farm.end('SIGTERM'), 0);
  t.regex(farm.said, new RegExp(`counter \\(${aid}\\) sleeps`));
  for (const pid of children) t.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
  await farm.up();
  const { aid: same, state, pids } = await farm.instance();
  t.deepEqual({ same, state, pids }, { same: aid, state: 'asleep', pids: 0 });
  t.is((await farm.visit()).visits, 4);
});
