import { createHash } from 'node:crypto';
import type { WakeReply } from '@appshot/protocol';
import { waitUntil } from '@appshot/runtime/testing';
import test from 'ava';
import { WebSocket } from 'undici';
import { RawClient } from './support/client.js';
import { Sites } from './support/sites.js';
import { TestFarm, type TestGateway } from './support/test-farm.js';
import type { Upstream } from './support/upstream.js';

const farm = new TestFarm();
let gateway: TestGateway;
const sites = new Sites(farm, () => gateway);
const answers: Record<string, () => Promise<WakeReply> | WakeReply> = {};

test.before(async () => {
  await farm.start();
  gateway = await farm.gateway();
  await farm.onWake(answers);
});
test.after.always(async () => {
  await farm.close();
  await sites.close();
});

/** Says 101 and then gives back, in capitals, what it hears. */
function echoes(upstream: Upstream): Upstream {
  upstream.server.on('upgrade', (incoming, socket, head) => {
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${incoming.headers.upgrade}\r\nX-Path: ${incoming.url}\r\nX-From: ${incoming.headers['x-forwarded-for']}\r\n\r\nhello `);
    const shout = (chunk: Buffer): boolean => socket.write(String(chunk).toUpperCase());
    if (head.length > 0) shout(head);
    socket.on('data', shout);
    socket.on('error', () => {});
    socket.on('end', () => socket.end('bye'));
  });
  return upstream;
}

const hello = (host: string, more = ''): string => `GET /socket HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: shout\r\n\r\n${more}`;

test('an upgraded connection carries bytes both ways, also those that came with the request', async (t) => {
  const { host, app, upstream } = await sites.http((_incoming, response) => void response.end('plain'));
  echoes(upstream);
  const client = new RawClient(gateway).send(hello(host, 'first '));
  const answer = await client.until('hello FIRST ');
  t.regex(answer, /^HTTP\/1\.1 101 Switching Protocols\r\n/);
  t.regex(answer, /upgrade: shout\r\n/i);
  t.regex(answer, /x-path: \/socket\r\n/i);
  t.regex(answer, /x-from: 127\.0\.0\.1\r\n/i);
  await client.send('second').until('SECOND');
  const report = await farm.reported(app, ({ instances }) => instances.some(({ inFlight }) => inFlight === 1));
  t.is(report.inFlight, 1);
  client.socket.end();
  t.true((await client.all()).endsWith('bye'));
  await waitUntil(() => farm.lastReport(app)?.inFlight === 0, { what: 'nothing in flight' });
  t.is(farm.lastReport(app)!.instances[0]?.inFlight ?? 0, 0);
});

test('either side that vanishes ends the other', async (t) => {
  const { host, app, upstream } = await sites.http((_incoming, response) => void response.end('plain'));
  echoes(upstream);
  const first = new RawClient(gateway).send(hello(host));
  await first.until('hello ');
  first.socket.resetAndDestroy();
  await waitUntil(() => upstream.sockets.size === 0, { what: 'the instance\'s side to close' });
  const second = new RawClient(gateway).send(hello(host));
  await second.until('hello ');
  for (const socket of upstream.sockets) socket.resetAndDestroy();
  await second.all();
  await waitUntil(() => farm.lastReport(app)?.inFlight === 0, { what: 'nothing in flight' });
  t.pass();
});

test('what an instance said before it closed reaches a visitor who reads late', async (t) => {
  const { host, upstream } = await sites.http((_incoming, response) => void response.end('plain'));
  const bytes = 8_000_000;
  let gone = false;
  upstream.server.on('upgrade', (_incoming, socket) => {
    socket.on('error', () => {}).on('close', () => (gone = true)).resume();
    socket.end(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: shout\r\n\r\n${'x'.repeat(bytes)}`);
  });
  const client = new RawClient(gateway).send(hello(host));
  await client.until('x');
  // Reads a little at a time, until long after the instance has gone.
  let paused = 0;
  client.socket.on('data', () => {
    client.socket.pause();
    paused += 1;
    setTimeout(() => client.socket.resume(), gone ? 0 : 1);
  });
  t.is((await client.all()).split('\r\n\r\n')[1]!.length, bytes);
  t.true(paused > 10);
});

test('a silent tunnel is closed in the end', async (t) => {
  const { host, upstream } = await sites.http((_incoming, response) => void response.end('plain'));
  echoes(upstream);
  const impatient = await farm.gateway({ tunnelSilentMs: 1_000 });
  await sites.known(host, impatient);
  const client = new RawClient(impatient).send(hello(host));
  await client.until('hello ');
  await client.all();
  t.pass();
});

test('an instance that will not change the protocol answers as ever, and what follows on the connection reaches nobody', async (t) => {
  const { host, upstream } = await sites.http(() => {});
  upstream.server.on('upgrade', (_incoming, socket) => socket.end('HTTP/1.1 426 Upgrade Required\r\nContent-Length: 4\r\n\r\nnope'));
  const client = new RawClient(gateway).send(hello(host)).send(`GET /smuggled HTTP/1.1\r\nHost: other.test\r\n\r\n`);
  const answer = await client.all();
  t.regex(answer, /^HTTP\/1\.1 426 Upgrade Required\r\n.*connection: close\r\n.*nope$/is);
  t.is(upstream.requests, 0);
});

test('an offer of HTTP/2 is answered in HTTP/1.1', async (t) => {
  const { host } = await sites.http((incoming, response) => void response.end(`plain ${incoming.headers.upgrade} ${incoming.headers['http2-settings']}`));
  const answer = await new RawClient(gateway).send(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n`).all();
  t.regex(answer, /^HTTP\/1\.1 200 OK\r\n.*plain undefined undefined/s);
});

test('an upgrade for an unknown host, or with a body, is refused in HTTP', async (t) => {
  const { host } = await sites.http((_incoming, response) => void response.end());
  t.regex(await new RawClient(gateway).send(hello('nobody.test')).all(), /^HTTP\/1\.1 404 /);
  t.regex(await new RawClient(gateway).send(`POST / HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: x\r\nContent-Length: 3\r\n\r\nabc`).all(), /^HTTP\/1\.1 400 /);
});

test('an upgrade wakes a sleeping site like any request, and keeps it awake', async (t) => {
  const upstream = echoes(await sites.upstream(() => {}));
  const { app, host } = await farm.deploy();
  const [aid] = await farm.registry.aids.next();
  await sites.known(host);
  answers[app] = () => ({ kind: 'ready', aid: aid!, epoch: 2, endpoint: upstream.endpoint, how: 'restore', phases: { fill: 1 } });
  const client = new RawClient(gateway).send(hello(host));
  const answer = await client.until('hello ');
  t.regex(answer, /server-timing: wake;desc=restore/i);
  t.is((await farm.reported(app, (report) => report.inFlight === 1 && report.held === 0)).inFlight, 1);
  client.close();
});

test('a real WebSocket works', async (t) => {
  // Its Host field is not for the test to set.
  const { upstream } = await sites.http(() => {}, { hosts: ['127.0.0.1'] });
  upstream.server.on('upgrade', (incoming, socket) => {
    const accept = createHash('sha1').update(`${incoming.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
    socket.write(Buffer.concat([Buffer.from([0x81, 5]), Buffer.from('hello')]));
  });
  const socket = new WebSocket(`ws://${gateway.address}/`);
  const said = await new Promise((resolve, reject) => {
    socket.onmessage = (event) => resolve(event.data);
    socket.onerror = (event) => reject(event.error);
  });
  t.is(said, 'hello');
  socket.close();
  for (const each of upstream.sockets) each.destroy();
});
