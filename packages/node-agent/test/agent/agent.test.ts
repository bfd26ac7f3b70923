import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { agentCalls, AppSpec, instanceEnded, instanceRestored, nodeLoad, nodeWoke, visitorCame, type Endpoint, type InstanceEnded, type InstanceRestored, type NodeLoad, type NodeWoke } from '@appshot/protocol';
import { connectRegistry, type Registry } from '@appshot/registry';
import { connectBus, createLogger, FarmError, type Bus } from '@appshot/runtime';
import { patienceMs, startNats, startRedis, waitUntil } from '@appshot/runtime/testing';
import test from 'ava';
import { run } from '../../src/run.js';

const logger = createLogger('test');
const node = 'n1';
const calls = agentCalls(node);
const fixtures = fileURLToPath(new URL('fixtures/', import.meta.url));
const dir = mkdtempSync(path.join(tmpdir(), 'appshot-agent-'));

let redis: Awaited<ReturnType<typeof startRedis>>;
let nats: Awaited<ReturnType<typeof startNats>>;
let bus: Bus;
let registry: Registry;
let agent: Awaited<ReturnType<typeof run>> | undefined;
const ended: InstanceEnded[] = [];
const loads: NodeLoad[] = [];

// Of this process alone: farms on one machine must not share addresses.
const addresses = `10.${208 + (process.pid & 3)}.${(process.pid >> 2) & 255}.0/24`;

const startAgent = () => run({ redisUrl: redis.url, natsUrl: nats.url, dir, node, addresses, addressesSpare: 8, podsReady: 2, addressRestMs: 60_000 });
const spec = (more: object = {}): AppSpec => AppSpec.parse({ name: 'counter', hosts: ['counter.localhost'], command: [process.execPath, 'counter.mjs'], cwd: fixtures, port: 3000, ready: { withinMs: patienceMs }, ...more });
const visit = async ({ ip, port }: Endpoint): Promise<string> => (await fetch(`http://${ip}:${port}/`)).text();
const codeOf = (call: Promise<unknown>): Promise<string> => call.then(() => 'none', (error: unknown) => FarmError.from(error).code);

test.before(async () => {
  [redis, nats] = await Promise.all([startRedis(), startNats()]);
  bus = await connectBus({ url: nats.url, name: 'test', logger });
  registry = await connectRegistry({ url: redis.url, logger });
  await bus.subscribe(instanceEnded, (notice) => { ended.push(notice); });
  await bus.subscribe(nodeLoad, (load) => { loads.push(load); });
  agent = await startAgent();
});

/** Also what a test that failed has left. */
async function stopAll(): Promise<void> {
  for (const { aid } of (await bus.call(calls.list, {})).running) await bus.call(calls.stop, { aid, epoch: 1_000, removeImage: true });
}

test.afterEach.always(() => stopAll());

test.after.always(async () => {
  await agent?.close();
  await bus.close();
  await registry.close();
  await Promise.all([redis.stop(), nats.stop()]);
  rmSync(dir, { recursive: true, force: true });
});

test.serial('an instance is launched, sleeps, and wakes with its memory and its output', async (t) => {
  const [aid] = await registry.aids.next() as [string];
  const launch = { aid, epoch: 1, spec: spec() };
  const [first, copy] = await Promise.all([bus.call(calls.launch, launch), bus.call(calls.launch, launch)]);
  t.deepEqual(copy, first);
  t.is(await visit(first.endpoint), '1');
  t.is(await visit(first.endpoint), '2');
  t.true((await registry.ips.heldBy(node)).includes(first.endpoint.ip));

  const saved = await bus.call(calls.snapshot, { aid, epoch: 3, keepRunning: false });
  t.true(saved.bytes > 0);
  t.is((await registry.images.get(saved.image))?.app, 'counter');
  t.deepEqual((await bus.call(calls.list, {})).running, []);
  t.regex((await bus.call(calls.logs, { aid })).text, /counter started/);

  t.is(await codeOf(bus.call(calls.restore, { aid, epoch: 2, app: 'counter', port: 3000 })), 'stale-epoch');
  const woken = await bus.call(calls.restore, { aid, epoch: 4, app: 'counter', port: 3000 });
  t.is(await visit(woken.endpoint), '3');
  t.is((await bus.call(calls.list, {})).running[0]?.epoch, 4);

  t.true((await bus.call(calls.stop, { aid, epoch: 5, removeImage: true })).exited);
  t.deepEqual(await bus.call(calls.list, {}), { running: [], images: [] });
  t.is(await codeOf(bus.call(calls.launch, { ...launch, epoch: 6 })), 'illegal-transition');
});

test.serial('a visitor wakes what sleeps here, without anybody else: claimed, told, recorded, and once however many come', async (t) => {
  const [aid] = await registry.aids.next() as [string];
  const restored: InstanceRestored[] = [];
  const woke: NodeWoke[] = [];
  const heard = [await bus.subscribe(instanceRestored, (notice) => void restored.push(notice)), await bus.subscribe(nodeWoke, (notice) => void woke.push(notice))];
  await registry.apps.put(spec(), 1);
  await visit((await bus.call(calls.launch, { aid, epoch: 1, spec: spec() })).endpoint);
  await bus.call(calls.snapshot, { aid, epoch: 2, keepRunning: false });
  await registry.instances.create({ aid, app: 'counter', version: 1, node, state: 'asleep', reason: 'test', now: 1 });
  for (const app of ['counter', 'another', 'counter', 'counter']) bus.publish(visitorCame, { app, aid });
  await waitUntil(() => woke.length > 0, { what: 'the wake to be told' });

  const record = await registry.instances.get(aid);
  t.like(record, { state: 'ready', epoch: 3, claimedBy: node, reason: 'a visitor came' });
  t.is(await visit(record!.endpoint!), '2');
  t.like(restored, { length: 1, 0: { app: 'counter', aid, epoch: 2, endpoint: record!.endpoint, how: 'restore' } });
  t.like(woke, { length: 1, 0: { app: 'counter', aid, node } });
  // A scheduler that was asked too: it gets the same answer, and a visitor who comes late changes nothing.
  t.deepEqual((await bus.call(calls.restore, { aid, epoch: 2, app: 'counter', port: 3000 })).endpoint, record!.endpoint);
  bus.publish(visitorCame, { app: 'counter', aid });
  t.is(await visit(record!.endpoint!), '3');
  t.is((await registry.instances.get(aid))?.epoch, 3);
  await Promise.all(heard.map((one) => one.stop()));
  // The registry shall not miss it when the next agent looks.
  for (const [from, to] of [['ready', 'stopping'], ['stopping', 'gone']] as const) await registry.instances.transition({ aid, from: [from], to, reason: 'test', now: 2 });
});

test.serial('clones of a template answer for themselves', async (t) => {
  const [aid, one, two] = await registry.aids.next(3) as [string, string, string];
  const launched = await bus.call(calls.launch, { aid, epoch: 1, spec: spec() });
  await visit(launched.endpoint);
  const template = await bus.call(calls.snapshot, { aid, epoch: 2, keepRunning: true });
  const clones = await Promise.all([one, two].map((clone) => bus.call(calls.clone, { aid: clone, epoch: 1, template: template.image, spec: spec() })));
  t.is(new Set([launched, ...clones].map(({ endpoint }) => endpoint.ip)).size, 3);
  t.deepEqual(await Promise.all([launched, ...clones].map(({ endpoint }) => visit(endpoint))), ['2', '2', '2']);
  for (const each of [aid, one, two]) await bus.call(calls.stop, { aid: each, epoch: 9, removeImage: true });
  await bus.call(calls.removeImage, { image: template.image });
});

test.serial('what runs goes on while its agent is away, and the next one knows it and its epoch', async (t) => {
  const [aid] = await registry.aids.next() as [string];
  const { endpoint } = await bus.call(calls.launch, { aid, epoch: 7, spec: spec() });
  await agent?.close();
  t.is(await visit(endpoint), '1');
  agent = await startAgent();
  t.deepEqual((await bus.call(calls.list, {})).running, [{ aid, epoch: 7, endpoint, parked: false }]);
  t.is(await codeOf(bus.call(calls.stop, { aid, epoch: 6, removeImage: true })), 'stale-epoch');
  // The same launch once more: the scheduler never got the answer.
  t.deepEqual((await bus.call(calls.launch, { aid, epoch: 7, spec: spec() })).endpoint, endpoint);
  t.is(await visit(endpoint), '2');
  await bus.call(calls.stop, { aid, epoch: 8, removeImage: true });
});

test.serial('an instance that ends by itself is told, with how; one that is stopped is not', async (t) => {
  const [aid] = await registry.aids.next() as [string];
  const { endpoint } = await bus.call(calls.launch, { aid, epoch: 1, spec: spec() });
  await fetch(`http://${endpoint.ip}:${endpoint.port}/exit`).catch(() => undefined);
  const notice = await waitUntil(() => ended.find((one) => one.aid === aid), { what: 'the news of its end' });
  t.is(notice.how, 'exited with status 7');
  t.true((await bus.call(calls.stop, { aid, epoch: 2, removeImage: true })).exited);
  t.is(ended.length, 1);
});

test.serial('the node says each second what it has and what each instance uses', async (t) => {
  const [aid] = await registry.aids.next() as [string];
  await bus.call(calls.launch, { aid, epoch: 1, spec: spec() });
  const load = await waitUntil(() => loads.findLast((one) => one.instances.some((row) => row.aid === aid)), { what: 'a heartbeat with the instance' });
  t.true((load.instances[0]?.memoryBytes ?? 0) > 1_000_000);
  t.is(load.instances[0]?.epoch, 1);
  t.is((await registry.nodes.list())[0]?.node, node);
  await bus.call(calls.stop, { aid, epoch: 2, removeImage: true });
});

test.serial('a command that does not exist, and one that is never ready, are named and leave nothing', async (t) => {
  const [missing, silent] = await registry.aids.next(2) as [string, string];
  t.is(await codeOf(bus.call(calls.launch, { aid: missing, epoch: 1, spec: spec({ command: ['no-such-program'] }) })), 'command-not-found');
  const idle = spec({ command: ['sleep', '1000'], ready: { withinMs: 500 } });
  t.is(await codeOf(bus.call(calls.launch, { aid: silent, epoch: 1, spec: idle })), 'not-ready-in-time');
  t.deepEqual((await bus.call(calls.list, {})).running, []);
});
