import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { AppSpec, checkPorts, drain, instanceRestored, type WakeReply } from '@appshot/protocol';
import { freePort, waitUntil } from '@appshot/runtime/testing';
import test from 'ava';
import { startRaw } from './support/upstream.js';
import { TestFarm, type TestGateway } from './support/test-farm.js';

const farm = new TestFarm();
let gateway: TestGateway;
const closing: (() => Promise<void>)[] = [];
const answers: Record<string, () => Promise<WakeReply> | WakeReply> = {};

test.before(async () => {
  await farm.start();
  gateway = await farm.gateway({ stopWithinMs: 2_000 });
  await farm.onWake(answers);
});
test.after.always(async () => {
  await farm.close();
  await Promise.all(closing.map((close) => close()));
});

/** An app without host names whose instances are to listen on `port`. */
async function expose(port: number, { concurrency = 50, silentMs = 0 } = {}): Promise<{ app: string; farmPort: number }> {
  const app = `tcp${port}`;
  const farmPort = await freePort();
  const spec = AppSpec.parse({ name: app, command: ['x'], cwd: '/', port, scale: { concurrency }, expose: [{ port, farmPort, silentMs }] });
  await farm.registry.apps.put(spec, Date.now());
  return { app, farmPort };
}

async function raw(onConnection: (socket: Socket) => void): Promise<{ ip: string; port: number }> {
  const server = await startRaw(onConnection);
  closing.push(() => server.close());
  return server.endpoint;
}

/** A server that takes half-open connections. */
async function halfOpen(onConnection: (socket: Socket) => void): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, onConnection).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(async () => void server.close());
  return (server.address() as { port: number }).port;
}

/** Waits for the port, as a client that comes a little early would. */
async function dial(farmPort: number, host = '127.0.0.1'): Promise<Socket> {
  let socket!: Socket;
  await waitUntil(async () => {
    socket = connect({ port: farmPort, host, allowHalfOpen: true });
    return Promise.race([once(socket, 'connect').then(() => true), once(socket, 'close').then(() => false)]).catch(() => false);
  }, { what: `the farm port ${farmPort}` });
  socket.on('error', () => undefined);
  return socket;
}

/** How it was closed: the error's code, or `end`. */
const closeOf = (socket: Socket): Promise<string> =>
  new Promise((resolve) => socket.resume().once('close', () => resolve((socket.errored as NodeJS.ErrnoException | null)?.code ?? 'end')));

async function allOf(socket: Socket): Promise<string> {
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  return text;
}

test('a connection reaches an instance, bytes go both ways as they are, and an end of one side leaves the other open', async (t) => {
  const port = await halfOpen((socket) => {
    let got = 0;
    socket.on('data', (chunk: Buffer) => (got += chunk.length));
    socket.on('end', () => socket.end(`${got} bytes`));
  });
  const { app, farmPort } = await expose(port);
  await farm.instance(app, 'ready', { ip: '127.0.0.1', port });
  const socket = await dial(farmPort);
  socket.end(Buffer.alloc(3_000_000, 7));
  t.is(await allOf(socket), '3000000 bytes');
  await farm.reported(app, (report) => report.inFlight === 0 && report.arrived >= 0);
});

test('what a slow visitor does not read is not read from the instance either', async (t) => {
  let written = 0;
  const endpoint = await raw((socket) => {
    const fill = (): void => { while (socket.write(Buffer.alloc(65_536))) written += 65_536; };
    socket.on('drain', fill).on('error', () => undefined);
    fill();
  });
  const { app, farmPort } = await expose(endpoint.port);
  await farm.instance(app, 'ready', endpoint);
  const socket = await dial(farmPort);
  socket.pause();
  await waitUntil(() => written > 0, { what: 'the instance to write' });
  let before = -1;
  await waitUntil(() => { const still = written === before; before = written; return still; }, { everyMs: 300, what: 'the instance to be stopped' });
  t.true(written < 50_000_000, `${written} bytes are somewhere between them`);
  socket.destroy();
  await farm.reported(app, (report) => report.inFlight === 0);
});

test('connections go to the instance that has the fewest', async (t) => {
  const counts = [0, 0];
  const countAt = (at: 0 | 1) => (socket: Socket): void => {
    counts[at]! += 1;
    socket.on('error', () => undefined).on('end', () => void socket.end()).resume();
  };
  const port = await halfOpen(countAt(0));
  const second = createServer(countAt(1)).listen(port, '127.0.0.2');
  await once(second, 'listening');
  closing.push(async () => void second.close());
  const { app, farmPort } = await expose(port);
  await farm.instance(app, 'ready', { ip: '127.0.0.1', port });
  await farm.instance(app, 'ready', { ip: '127.0.0.2', port });
  const sockets: Socket[] = [];
  // Until the gateway knows of both.
  await waitUntil(async () => { sockets.push(await dial(farmPort)); return counts[0]! > 0 && counts[1]! > 0; }, { what: 'a connection to each' });
  const opened = sockets.length;
  for (const socket of sockets.splice(0)) socket.destroy();
  const arrived = (): number => farm.reports.filter((report) => report.app === app).reduce((sum, report) => sum + report.arrived, 0);
  await waitUntil(() => arrived() >= opened && farm.lastReport(app)?.inFlight === 0, { what: 'them to be over' });
  counts.fill(0);
  for (let i = 0; i < 10; i += 1) sockets.push(await dial(farmPort));
  await waitUntil(() => counts[0]! + counts[1]! === 10, { what: 'all to be through' });
  t.deepEqual(counts, [5, 5]);
  for (const socket of sockets) socket.destroy();
});

test('fifty connections to a sleeping app wake it once, wait, and are all served with what they had sent meanwhile', async (t) => {
  const endpoint = await raw((socket) => socket.on('data', (chunk: Buffer) => void socket.end(`echo ${String(chunk)}`)));
  const { app, farmPort } = await expose(endpoint.port);
  const aid = await farm.instance(app, 'asleep');
  let wakes = 0;
  answers[app] = async () => {
    wakes += 1;
    await waitUntil(() => (farm.lastReport(app)?.held ?? 0) === 50, { what: 'all to wait' });
    const epoch = await farm.become(aid, 'asleep', 'restoring');
    farm.bus.publish(instanceRestored, { how: 'restore', node: 'n1', app, aid, epoch, endpoint, phases: {} });
    const ready = await farm.become(aid, 'restoring', 'ready', endpoint);
    return { kind: 'ready', aid, epoch: ready, endpoint, how: 'restore', phases: {} };
  };
  const first = await dial(farmPort);
  const sockets = [first, ...(await Promise.all(Array.from({ length: 49 }, () => dial(farmPort))))];
  const texts = await Promise.all(sockets.map((socket, i) => { socket.write(`hello ${i}`); return allOf(socket); }));
  t.deepEqual(texts, sockets.map((_socket, i) => `echo hello ${i}`));
  t.is(wakes, 1);
});

test('who cannot be served is reset: the app cannot be woken; a silent connection is closed only where that is asked for', async (t) => {
  const refusing = await expose(await freePort());
  answers[refusing.app] = () => ({ kind: 'refused', because: 'no', retryAfterS: 1 });
  await farm.instance(refusing.app, 'asleep');
  const refused = await dial(refusing.farmPort);
  t.is(await closeOf(refused), 'ECONNRESET');

  const endpoint = await raw((socket) => void socket.on('error', () => undefined));
  const silent = await expose(endpoint.port, { silentMs: 200 });
  await farm.instance(silent.app, 'ready', endpoint);
  const socket = await dial(silent.farmPort);
  socket.on('end', () => socket.end());
  t.is(await closeOf(socket), 'end');
});

test('a port that another program has is named with that program, told of once, and opened when it is free', async (t) => {
  const foreign = createServer().listen(0, '127.0.0.1');
  await once(foreign, 'listening');
  const farmPort = (foreign.address() as { port: number }).port;
  const app = `foreign${farmPort}`;
  await farm.registry.apps.put(AppSpec.parse({ name: app, command: ['x'], cwd: '/', port: 80, expose: [{ port: 80, farmPort }] }), Date.now());
  const events = async () => (await farm.registry.events.read()).map(({ event }) => event).filter((event) => event.app === app);
  await waitUntil(async () => (await events()).length > 0, { what: 'the event' });
  const [blocked] = await events();
  t.like(blocked, { type: 'port-blocked', facts: { farmPort } });
  t.regex(blocked!.because, new RegExp(`^the farm port ${farmPort} cannot be opened: it is in use by .* \\(pid ${process.pid}\\)$`));
  const free = await freePort();
  const { blocked: found } = await farm.bus.call(checkPorts(gateway.id), { farmPorts: [farmPort, free] });
  t.deepEqual(found.map((one) => one.farmPort), [farmPort]);
  foreign.close();
  await waitUntil(async () => (await events()).length === 2, { what: 'the other event' });
  t.like((await events())[1], { type: 'port-opened' });
  t.deepEqual((await farm.bus.call(checkPorts(gateway.id), { farmPorts: [farmPort] })).blocked, []);
});

test('an open connection keeps a drain busy; a gateway that ends lets it finish, then cuts it, and the next one has the port', async (t) => {
  const endpoint = await raw((socket) => void socket.on('data', (chunk: Buffer) => socket.write(chunk)).on('error', () => undefined));
  const { app, farmPort } = await expose(endpoint.port);
  const aid = await farm.instance(app, 'ready', endpoint);
  const ending = await farm.gateway({ stopWithinMs: 500, exposeHost: '127.0.0.9' });
  const own = await dial(farmPort, '127.0.0.9');
  own.write('x');
  await once(own, 'data');
  const epoch = await farm.become(aid, 'ready', 'draining');
  const drained = await farm.bus.call(drain(ending.id), { app, aid, epoch, withinMs: 100 });
  t.deepEqual(drained, { kind: 'busy', inFlight: 1 });
  await farm.become(aid, 'draining', 'ready', endpoint);
  const closed = ending.close();
  t.is(await closeOf(own), 'ECONNRESET');
  await closed;
  await farm.gateway({ exposeHost: '127.0.0.9' });
  const again = await dial(farmPort, '127.0.0.9');
  again.write('y');
  t.is(String((await once(again, 'data'))[0]), 'y');
  again.destroy();
});
