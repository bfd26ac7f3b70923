import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { waitUntil } from '@appshot/runtime/testing';
import test from 'ava';
import { request } from 'undici';
import { RawClient, visit } from './support/client.js';
import { Sites } from './support/sites.js';
import { TestFarm, type TestGateway } from './support/test-farm.js';

const farm = new TestFarm();
let gateway: TestGateway;
const sites = new Sites(farm, () => gateway);

test.before(async () => {
  await farm.start();
  gateway = await farm.gateway();
});
test.after.always(async () => {
  await farm.close();
  await sites.close();
});

const digest = (bytes: Buffer | string): string => createHash('sha1').update(bytes).digest('hex');

test('a request goes to the site of its host name and its answer comes back', async (t) => {
  const { host } = await sites.http((incoming, response) => {
    response.writeHead(201, 'Made Up', { 'X-Multi': ['a', 'b'], 'Content-Type': 'text/x' });
    response.end(`${incoming.method} ${incoming.url} ${incoming.headers.host}`);
  });
  const answer = await visit(gateway, host, '/a/b?c=%20d');
  t.is(answer.status, 201);
  t.is(answer.text, `GET /a/b?c=%20d ${host}`);
  t.deepEqual(answer.headers['x-multi'], ['a', 'b']);
  // The first may have had to wait for the route feed.
  t.is((await visit(gateway, host)).headers['server-timing'], undefined);
});

test('an unknown host name is a 404 that names it, whatever the method and the body', async (t) => {
  for (const options of [{}, { method: 'POST' as const, body: 'x'.repeat(2_000_000), headers: { 'content-type': 'application/what' } }]) {
    const answer = await visit(gateway, 'nobody.test', '/x', options);
    t.is(answer.status, 404);
    t.regex(answer.text, /no site is deployed for the host name "nobody.test"/);
  }
});

test('a wildcard host name is served for one label', async (t) => {
  const upstream = await sites.upstream((incoming, response) => void response.end(incoming.headers.host));
  await farm.deployReady(upstream.endpoint, { hosts: ['*.wild.test'] });
  await sites.known('a.wild.test');
  t.is((await visit(gateway, 'b.wild.test')).text, 'b.wild.test');
  t.is((await visit(gateway, 'wild.test')).status, 404);
});

test('hop-by-hop fields end at the gateway, and the instance learns who asked', async (t) => {
  const { host } = await sites.http((incoming, response) => {
    response.writeHead(200, { Connection: 'keep-alive, x-private', 'X-Private': '1', 'X-Public': '2', 'Proxy-Authenticate': 'x' });
    response.end(JSON.stringify(incoming.headers));
  });
  const answer = await visit(gateway, host, '/', { headers: { 'x-forwarded-for': '6.6.6.6', forwarded: 'for=6.6.6.6', te: 'trailers', 'proxy-authorization': 'x', 'x-kept': 'y', cookie: 'a=b' } });
  const seen = JSON.parse(answer.text) as Record<string, string>;
  t.like(seen, { 'x-forwarded-for': '127.0.0.1', 'x-forwarded-proto': 'http', 'x-forwarded-host': host, via: '1.1 appshot', 'x-kept': 'y', cookie: 'a=b', host });
  for (const name of ['forwarded', 'te', 'proxy-authorization', 'transfer-encoding']) t.is(seen[name], undefined, name);
  t.is(answer.headers['x-private'], undefined);
  t.is(answer.headers['proxy-authenticate'], undefined);
  t.is(answer.headers['x-public'], '2');
});

test('behind a trusted proxy what it says is kept and added to', async (t) => {
  const trusting = await farm.gateway({ trustForwarded: true });
  const { host } = await sites.http((incoming, response) => void response.end(JSON.stringify(incoming.headers)));
  await waitUntil(async () => (await visit(trusting, host)).status === 200, { what: 'the route' });
  const { text } = await visit(trusting, host, '/', { headers: { 'x-forwarded-for': '6.6.6.6', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'outer.test' } });
  t.like(JSON.parse(text), { 'x-forwarded-for': '6.6.6.6, 127.0.0.1', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'outer.test' });
});

test('bodies of any size pass both ways unchanged, sized or chunked', async (t) => {
  const { host } = await sites.http((incoming, response) => {
    response.writeHead(200, { 'x-length': incoming.headers['content-length'] ?? 'chunked', 'content-type': 'application/octet-stream' });
    incoming.pipe(response);
  });
  for (const size of [1, 4_095, 4_096, 70_000, 5_000_000]) {
    const body = randomBytes(size);
    for (const sent of [body, Readable.from([body.subarray(0, size >> 1), body.subarray(size >> 1)].filter((part) => part.length > 0))]) {
      const response = await request(`http://${gateway.address}/`, { method: 'POST', body: sent, headers: { host } });
      t.is(digest(Buffer.from(await response.body.arrayBuffer())), digest(body));
      t.is(response.headers['x-length'], sent === body ? String(size) : 'chunked');
    }
  }
});

test('an empty POST keeps its length of 0, and an empty answer its own', async (t) => {
  const { host } = await sites.http((incoming, response) => {
    response.writeHead(200, { 'content-length': '0', 'x-length': String(incoming.headers['content-length']) });
    response.end();
  });
  const answer = await visit(gateway, host, '/', { method: 'POST' });
  t.is(answer.headers['x-length'], '0');
  t.is(answer.headers['content-length'], '0');
});

test('HEAD, 204 and 304 have no body, and the connection goes on', async (t) => {
  const { host } = await sites.http((incoming, response) => {
    if (incoming.url === '/304') response.writeHead(304, { etag: '"x"', 'content-length': '7' }).end();
    else if (incoming.url === '/204') response.writeHead(204).end();
    else response.writeHead(200, { 'content-length': '7' }).end('seven!!');
  });
  const head = await visit(gateway, host, '/', { method: 'HEAD' });
  t.is(head.headers['content-length'], '7');
  t.is(head.text, '');
  // A raw client: undici, as a client, wants the body that a 304 only names the length of. As our side of the instance it does, too.
  const raw = new RawClient(gateway).send(`GET /304 HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  t.regex(await raw.until('\r\n\r\n'), /^HTTP\/1\.1 304 Not Modified\r\n.*content-length: 7/is);
  raw.send(`GET /304 HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  t.is((await raw.all()).match(/HTTP\/1\.1 304/g)?.length, 2);
  t.is((await visit(gateway, host, '/204')).status, 204);
  t.is((await visit(gateway, host)).text, 'seven!!');
});

test('trailers come after the body', async (t) => {
  const { host } = await sites.http((_incoming, response) => {
    response.writeHead(200, { Trailer: 'X-Sum' });
    response.write('abc');
    response.addTrailers({ 'X-Sum': '294' });
    response.end();
  });
  const answer = await visit(gateway, host);
  t.is(answer.text, 'abc');
  t.is(answer.trailers['x-sum'], '294');
});

test('what an instance has written is passed on before it goes on', async (t) => {
  let goOn = (): void => {};
  const { host } = await sites.http((_incoming, response) => {
    response.write('first');
    goOn = () => response.end('second');
  });
  const response = await request(`http://${gateway.address}/`, { headers: { host } });
  const chunks: string[] = [];
  for await (const chunk of response.body) {
    chunks.push(String(chunk));
    goOn();
  }
  t.deepEqual(chunks, ['first', 'second']);
});

test('an instance is stopped while its visitor is slow, and loses nothing', async (t) => {
  const total = 64 * 1024 * 1024;
  let written = 0;
  const { host } = await sites.http((_incoming, response) => {
    const chunk = Buffer.alloc(64 * 1024, 'x');
    const more = (): void => {
      while (written < total) {
        written += chunk.length;
        if (!response.write(chunk)) return void response.once('drain', more);
      }
      response.end();
    };
    more();
  });
  const response = await request(`http://${gateway.address}/`, { headers: { host }, highWaterMark: 1_024 } as never);
  let before = -1;
  await waitUntil(() => {
    const still = written === before && written > 0;
    before = written;
    return still;
  }, { everyMs: 100, what: 'the instance to stop writing' });
  t.true(written < total / 2, `${written} bytes were taken from the instance`);
  t.is((await response.body.arrayBuffer()).byteLength, total);
});

test('an instance that does not begin its answer is a 504, one that stops in the middle cuts the connection', async (t) => {
  const { host } = await sites.http((incoming, response) => {
    if (incoming.url === '/half') response.writeHead(200, { 'content-length': '10' }).write('half');
  });
  const impatient = await farm.gateway({ responseWithinMs: 1_500, silentMs: 1_500 });
  await sites.known(host, impatient);
  const late = await visit(impatient, host);
  t.is(late.status, 504);
  t.truthy(late.headers['retry-after']);
  t.is(late.headers['x-appshot-problem'], 'upstream-late');
  await t.throwsAsync(visit(impatient, host, '/half'));
});

test('an instance that dies in the middle of its answer is seen by the visitor', async (t) => {
  const { host } = await sites.http((_incoming, response) => {
    response.writeHead(200);
    response.write('half', () => response.destroy());
  });
  await t.throwsAsync(visit(gateway, host));
});

test('a visitor who leaves ends the request at the instance', async (t) => {
  const ended: string[] = [];
  const { host, app } = await sites.http((incoming, response) => {
    response.on('close', () => ended.push(incoming.url!));
    if (incoming.url === '/body') response.write('x');
  });
  let from = 0;
  for (const path of ['/nothing', '/body']) {
    const controller = new AbortController();
    const answer = request(`http://${gateway.address}${path}`, { headers: { host }, signal: controller.signal }).then((response) => response.body.text());
    await waitUntil(() => farm.reports.slice(from).some((report) => report.app === app && report.instances.some(({ inFlight }) => inFlight === 1)), { what: 'it to be in flight' });
    controller.abort();
    await t.throwsAsync(answer, { any: true });
    await waitUntil(() => ended.includes(path), { what: 'the instance to notice' });
    await waitUntil(() => farm.lastReport(app)?.inFlight === 0, { what: 'nothing in flight' });
    from = farm.reports.length;
  }
  t.deepEqual(ended, ['/nothing', '/body']);
});

test('a visitor who leaves in the middle of an upload ends it at the instance', async (t) => {
  let aborted = false;
  const { host } = await sites.http((incoming) => {
    incoming.on('close', () => (aborted = !incoming.complete));
    incoming.resume();
  });
  const controller = new AbortController();
  const body = new Readable({ read() {} });
  body.push('some');
  body.on('error', () => {});
  const answer = request(`http://${gateway.address}/`, { method: 'PUT', headers: { host }, body, signal: controller.signal });
  setTimeout(() => controller.abort(), 50);
  await t.throwsAsync(answer, { any: true });
  await waitUntil(() => aborted, { what: 'the instance to notice' });
  t.true(aborted);
});

test('an answer that comes before the upload is finished arrives, and the connection stays usable', async (t) => {
  const { host } = await sites.http((_incoming, response) => {
    response.writeHead(413).end('too much');
  });
  for (let round = 0; round < 3; round += 1) {
    const answer = await visit(gateway, host, '/', { method: 'POST', body: Buffer.alloc(3_000_000) });
    t.is(answer.status, 413);
    t.is(answer.text, 'too much');
  }
});

test('a reason phrase cannot break the line it stands in', async (t) => {
  for (const body of ['', 'abc']) {
    const { host } = await sites.tcp((socket) => void socket.once('data', () => socket.end(`HTTP/1.1 200 a\u010AX-Evil: 1\r\nContent-Length: ${body.length}\r\n\r\n${body}`, 'utf8')));
    const answer = await new RawClient(gateway).send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`).until(`\r\n\r\n${body}`);
    t.regex(answer, /^HTTP\/1\.1 (200 OK|502 Bad Gateway)\r\n/);
    t.notRegex(answer, /\nX-Evil/);
  }
});

for (const length of [6, 6_000]) test(`an answer of ${length} bytes whose body comes later than its fields is not kept back`, async (t) => {
  let goOn = (): void => {};
  const { host } = await sites.tcp((socket) => void socket.once('data', () => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\nX-Early: yes\r\n\r\n`);
    goOn = () => {
      socket.write('abc');
      goOn = () => socket.write('x'.repeat(length - 6) + 'def');
    };
  }));
  const client = new RawClient(gateway).send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  await client.until(/X-Early: yes\r\n.*\r\n\r\n$/s);
  goOn();
  await client.until(/abc$/);
  goOn();
  t.regex(await client.until(/abcx*def$/), /^HTTP\/1\.1 200 OK\r\n/);
  client.close();
});

test('an instance whose answer is no HTTP is a 502', async (t) => {
  for (const said of ['garbage\r\n\r\n', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc', 'HTTP/1.1 200 OK\r\nX: a\x01b\r\nContent-Length: 0\r\n\r\n', `HTTP/1.1 200 OK\r\nX: ${'y'.repeat(70_000)}\r\n\r\n`]) {
    const { host } = await sites.tcp((socket) => void socket.once('data', () => socket.end(said, 'latin1')));
    const answer = await visit(gateway, host);
    t.is(answer.status, 502, said.slice(0, 40));
    t.is(answer.headers['x-appshot-problem'], 'upstream-failed');
    t.truthy(answer.headers['retry-after']);
  }
});
