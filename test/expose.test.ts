import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort, waitUntil } from '@appshot/runtime/testing';
import test from 'ava';
import { Farm } from './support/farm.js';

const farm = new Farm();
let farmPort = 0;

test.before(async () => {
  await farm.up();
  farmPort = await freePort();
});
test.after.always(() => farm.destroy());

/** redis-server, which keeps nothing on disk: what it knows it has in memory. */
function appFile(name: string, expose: string): string {
  const dir = path.join(farm.dir, 'apps', name);
  mkdirSync(dir, { recursive: true });
  const file = path.join(dir, 'site.yaml');
  writeFileSync(file, [
    `name: ${name}`, 'command: [redis-server, --port, "6379", --protected-mode, "no", --appendonly, "no"]', 'port: 6379',
    expose === '' ? `hosts: [${name}.localhost]` : `expose: [${expose}]`, 'scale: { max: 1, concurrency: 200, idleMs: 700 }', '',
  ].join('\n'));
  return file;
}

/** A connection that speaks Redis' inline commands; each answer is one line. */
class RedisTalk {
  readonly #socket: net.Socket;
  #received = '';

  constructor(port: number, host = '127.0.0.1') {
    this.#socket = net.connect(port, host).on('data', (chunk) => { this.#received += String(chunk); }).on('error', () => undefined);
  }

  async ask(command: string): Promise<string> {
    this.#received = '';
    this.#socket.write(`${command}\r\n`);
    await waitUntil(() => this.#received.endsWith('\r\n') || this.#socket.destroyed, { what: `the answer to ${command}` });
    if (!this.#received.endsWith('\r\n')) throw new Error(`the connection was closed: ${this.#received}`);
    return this.#received.trim();
  }

  close(): void {
    this.#socket.destroy();
  }
}

async function askOnce(command: string): Promise<string> {
  const talk = new RedisTalk(farmPort);
  try {
    return await talk.ask(command);
  } finally {
    talk.close();
  }
}

interface DeployedApp { readonly spec: { readonly name: string; readonly expose: readonly { readonly port: number; readonly farmPort: number }[] } }

async function exposedBy(name: string): Promise<DeployedApp['spec']['expose']> {
  return (await farm.ask<DeployedApp[]>('/apps')).find(({ spec }) => spec.name === name)?.spec.expose ?? [];
}

test.serial('a redis-server behind a farm port sleeps when no connection is open, and a connection wakes it with its memory', async (t) => {
  const { stdout } = await farm.appshot('deploy', appFile('cache', `{ port: 6379, farmPort: ${farmPort} }`));
  t.is(stdout, `cache: version 1 is deployed, at port ${farmPort}\n`);
  await waitUntil(() => askOnce('PING').then((text) => text === '+PONG', () => false), { what: 'the port to be open' });
  const talk = new RedisTalk(farmPort);
  t.is(await talk.ask('SET color green'), '+OK');
  // Longer than its idleMs, and several looks of the scheduler.
  await delay(2_500);
  t.is((await farm.instancesOf('cache'))[0]?.state, 'ready', 'an open connection keeps it awake');
  t.is(await talk.ask('PING'), '+PONG');
  talk.close();
  await farm.untilAll('cache', 'asleep');
  t.regex(await askOnce('GET color'), /green$/);
});

test.serial('a connection past the gateway goes on over a sleep, when the instance comes back to its address', async (t) => {
  // Keeps it awake until the other is there.
  const talk = new RedisTalk(farmPort);
  t.regex(await talk.ask('GET color'), /green$/);
  const { ip } = await farm.instanceOf('cache');
  t.truthy(ip);
  const direct = new RedisTalk(6379, ip!);
  t.is(await direct.ask('CLIENT SETNAME me'), '+OK');
  talk.close();
  await farm.untilAll('cache', 'asleep');
  t.regex(await askOnce('GET color'), /green$/);
  t.is((await farm.instanceOf('cache')).ip, ip);
  t.regex(await direct.ask('CLIENT GETNAME'), /me$/);
  direct.close();
});

test.serial('fifty connections to it while it sleeps are all answered, by one restore', async (t) => {
  await farm.untilAll('cache', 'asleep');
  const woken = (await farm.eventsOf('cache', 'woken')).length;
  const answers = await Promise.all(Array.from({ length: 50 }, () => askOnce('INCR visits')));
  t.deepEqual(answers.map((text) => Number(text.slice(1))).sort((a, b) => a - b), Array.from({ length: 50 }, (_, i) => i + 1));
  // The history is written after the visitors have been answered.
  await waitUntil(async () => (await farm.eventsOf('cache', 'woken')).length > woken, { what: 'the wake to be told' });
  t.is((await farm.eventsOf('cache', 'woken')).length, woken + 1);
});

test.serial('apps and rids show the translation, and a gateway that was killed has the port again', async (t) => {
  const apps = await farm.appshotJson<{ spec: { name: string; expose: { port: number; farmPort: number }[] } }[]>('apps');
  t.like(apps.find(({ spec }) => spec.name === 'cache')?.spec.expose[0], { port: 6379, farmPort });
  t.true((await farm.appshot('apps')).stdout.includes(`${farmPort} to 6379`));
  const talk = new RedisTalk(farmPort);
  t.is(await talk.ask('PING'), '+PONG');
  const [row] = await farm.instancesOf('cache');
  const { rids } = await farm.appshotJson<{ rids: { type: string; virtual: unknown; system: unknown }[] }>('rids', row!.aid);
  t.deepEqual(rids.filter(({ type }) => type === 'farm port'), [{ type: 'farm port', virtual: `${row!.ip}:6379`, system: farmPort }]);
  talk.close();
  process.kill(farm.pidOf('gateway'), 'SIGKILL');
  await waitUntil(() => askOnce('GET visits').then((text) => /50$/.test(text), () => false), { everyMs: 100, what: 'the port to be back' });
  t.pass();
});

test.serial('a farm port of another app is refused with its line, UDP by name, and nothing of it is kept', async (t) => {
  const taken = await farm.appshot('deploy', appFile('thief', `{ port: 6379, farmPort: ${farmPort} }`));
  t.is(taken.status, 1);
  t.regex(taken.stderr, new RegExp(`line 4: the farm port ${farmPort} belongs to the app "cache"`));
  const udp = await farm.appshot('deploy', appFile('thief', '{ port: 53, protocol: udp }'));
  t.is(udp.status, 1);
  t.regex(udp.stderr, /line 4: expose\[0\]\.protocol: "udp" .*tcp/);
  t.deepEqual((await farm.ask<{ spec: { name: string } }[]>('/apps')).map(({ spec }) => spec.name), ['cache']);
});

test.serial('a farm port that another program has is refused by name; one that the farm chooses is passed over', async (t) => {
  const foreign = net.createServer().listen(0, '127.0.0.1');
  await once(foreign, 'listening');
  t.teardown(() => void foreign.close());
  const { port } = foreign.address() as net.AddressInfo;
  const refused = await farm.appshot('deploy', appFile('blocked', `{ port: 6379, farmPort: ${port} }`));
  t.is(refused.status, 1);
  t.regex(refused.stderr, new RegExp(`line 4: the farm port ${port} is in use by .* \\(pid ${process.pid}\\)`));
  t.deepEqual((await farm.ask<{ spec: { name: string } }[]>('/apps')).map(({ spec }) => spec.name), ['cache']);

  await farm.deploy(appFile('chosen', '{ port: 6379 }'));
  const chosen = (await exposedBy('chosen'))[0]!.farmPort;
  t.is((await farm.appshot('remove', 'chosen')).status, 0);
  const other = net.createServer();
  t.teardown(() => void other.close());
  await waitUntil(() => new Promise((resolve) => other.once('error', () => resolve(false)).listen(chosen, '127.0.0.1', () => resolve(true))), { everyMs: 100, what: 'the port to be closed' });
  await farm.deploy(appFile('chosen', '{ port: 6379 }'));
  t.not((await exposedBy('chosen'))[0]!.farmPort, chosen);
  t.is((await farm.appshot('remove', 'chosen')).status, 0);
});

test.serial('an app that exposes nothing any more gives its farm port back, and takes it again when it is rolled back', async (t) => {
  await farm.deploy(appFile('cache', ''));
  t.deepEqual(await exposedBy('cache'), []);
  await waitUntil(() => askOnce('PING').then(() => false, () => true), { what: 'the port to be closed' });
  await farm.deploy(appFile('heir', `{ port: 6379, farmPort: ${farmPort} }`));
  await waitUntil(() => askOnce('PING').then((text) => text === '+PONG', () => false), { what: 'the port to be open' });
  const refused = await farm.appshot('rollback', 'cache');
  t.is(refused.status, 1);
  t.regex(refused.stderr, new RegExp(`the farm port ${farmPort} belongs to the app "heir"`));
  t.is((await farm.appshot('remove', 'heir')).status, 0);
  t.is((await farm.appshot('rollback', 'cache')).status, 0);
  t.like((await exposedBy('cache'))[0], { farmPort });
  await waitUntil(() => askOnce('PING').then((text) => text === '+PONG', () => false), { what: 'the port to be back' });
});
