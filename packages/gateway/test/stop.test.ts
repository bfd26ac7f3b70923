import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { FarmError } from '@appshot/runtime';
import { waitUntil } from '@appshot/runtime/testing';
import test from 'ava';
import { run } from '../src/index.js';
import { RawClient, visit } from './support/client.js';
import { Sites } from './support/sites.js';
import { TestFarm } from './support/test-farm.js';

const farm = new TestFarm();
const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
let current = { address: '' };
const sites = new Sites(farm, () => current);
const children: ChildProcess[] = [];

test.before(async () => {
  process.env['APPSHOT_LOG'] ??= 'fatal';
  await farm.start();
});
test.after.always(async () => {
  for (const child of children) child.kill('SIGKILL');
  await farm.close();
  await sites.close();
});

/** A gateway as a process of its own. */
async function startProcess(): Promise<{ address: string; id: string; child: ChildProcess; exited: Promise<unknown[]> }> {
  const child = spawn(process.execPath, ['--import=tsx', main, '--redis', farm.redis.url, '--nats', farm.nats.url, '--http', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, APPSHOT_LOG: 'error' } });
  children.push(child);
  const exited = once(child, 'exit');
  const [line] = (await once(createInterface(child.stdout!), 'line')) as [string];
  const { address, id } = JSON.parse(line) as { address: string; id: string };
  current = { address };
  return { address, id, child, exited };
}

test.serial('SIGTERM lets what is in flight finish, lets nobody in, and tells the farm', async (t) => {
  const gateway = await startProcess();
  let finish = (): void => {};
  const { host, app } = await sites.http((incoming, response) => {
    if (incoming.url !== '/slow') return void response.end('quick');
    response.write('begun ');
    finish = () => response.end('done');
  });
  const kept = new RawClient(gateway).send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  await kept.until('quick');
  const slow = new RawClient(gateway).send(`GET /slow HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  await slow.until('begun ');
  const upgraded = farm.reports.length;
  gateway.child.kill('SIGTERM');
  await kept.all();
  await t.throwsAsync(visit(gateway, host), { code: 'ECONNREFUSED' });
  await waitUntil(async () => (await farm.registry.gateways.live(Date.now())).includes(gateway.id), { what: 'it to be asked to drain while something is in flight' });
  finish();
  t.regex(await slow.all(), /begun \r\n.*done/s);
  t.deepEqual(await gateway.exited, [0, null]);
  t.false((await farm.registry.gateways.live(Date.now())).includes(gateway.id));
  await farm.reported(app, (report) => report.inFlight === 0);
  t.true(farm.reports.length > upgraded);
});

test.serial('what does not finish in time is cut, and who waits is told', async (t) => {
  const gateway = await run({ redisUrl: farm.redis.url, natsUrl: farm.nats.url, http: '127.0.0.1:0', stopWithinMs: 600 });
  current = gateway;
  const { host } = await sites.http((_incoming, response) => void response.write('begun '));
  const { host: sleeping, app } = await farm.deploy();
  await sites.known(sleeping);
  const slow = new RawClient(gateway).send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  await slow.until('begun ');
  const held = visit(gateway, sleeping);
  await farm.reported(app, (report) => report.held === 1);
  const closing = gateway.close();
  const answer = await held;
  t.is(answer.status, 503);
  t.is(answer.headers['x-appshot-problem'], 'stopping');
  t.is(answer.headers['connection'], 'close');
  await slow.all();
  await closing;
  t.pass();
});

test.serial('a port in use, and settings that are wrong, are said clearly', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as { port: number };
  const inUse = await t.throwsAsync(run({ redisUrl: farm.redis.url, natsUrl: farm.nats.url, http: `127.0.0.1:${port}` }), { instanceOf: FarmError });
  t.is((inUse as FarmError).code, 'port-in-use');
  taken.close();
  const wrong = await t.throwsAsync(run({ redisUrl: 'x', natsUrl: farm.nats.url, http: 'nowhere', silentMs: -1 }), { instanceOf: FarmError });
  for (const name of ['redisUrl', 'http', 'silentMs']) t.true(wrong!.message.includes(name), wrong!.message);
});
