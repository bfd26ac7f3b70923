import { once } from 'node:events';
import { waitUntil } from '@appshot/runtime/testing';
import test from 'ava';
import { RawClient } from './support/client.js';
import { Sites } from './support/sites.js';
import { TestFarm, type TestGateway } from './support/test-farm.js';

const farm = new TestFarm();
let gateway: TestGateway;
const sites = new Sites(farm, () => gateway);

test.before(async () => {
  await farm.start();
  gateway = await farm.gateway({ maxPipelined: 2 });
});
test.after.always(async () => {
  await farm.close();
  await sites.close();
});

const raw = (): RawClient => new RawClient(gateway);
const count = (text: string, pattern: RegExp): number => [...text.matchAll(pattern)].length;

test('requests that two servers could read differently reach no instance', async (t) => {
  const { host, upstream } = await sites.http((_incoming, response) => void response.end('ok'));
  const attacks: Record<string, string> = {
    'length and chunks': `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX`,
    'two lengths': `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab`,
    'a length that is none': `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: +1\r\n\r\na`,
    'a space before the colon': `POST / HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n`,
    'an obscured coding': `POST / HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`,
    'two codings': `POST / HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
    'a folded line': `GET / HTTP/1.1\r\nHost: ${host}\r\nX: a\r\n b\r\n\r\n`,
    'two hosts': `GET / HTTP/1.1\r\nHost: ${host}\r\nHost: other.test\r\n\r\n`,
    'no host': 'GET / HTTP/1.1\r\n\r\n',
    'a bad chunk': `POST / HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\n\r\nZ\r\n\r\n`,
    'a bare line feed in a field': `GET / HTTP/1.1\r\nHost: ${host}\r\nX: a\nY: b\r\n\r\n`,
  };
  for (const [name, text] of Object.entries(attacks)) {
    const client = raw().send(text);
    const answer = await client.until('\r\n\r\n');
    client.close();
    t.regex(answer, /^HTTP\/1\.1 (400|501) /, name);
    t.notRegex(answer, /200 OK/, name);
  }
  t.is(upstream.requests, 0);
});

test('header fields that are too large are refused', async (t) => {
  const { host } = await sites.http((_incoming, response) => void response.end('ok'));
  const client = raw().send(`GET / HTTP/1.1\r\nHost: ${host}\r\nX: ${'y'.repeat(40_000)}\r\n\r\n`);
  t.regex(await client.until('\r\n\r\n'), /^HTTP\/1\.1 4\d\d /);
  client.close();
});

test('a visitor who does not finish its header fields is sent away', async (t) => {
  const client = new RawClient(await farm.gateway({ headersWithinMs: 1_000 })).send('GET / HTTP/1.1\r\nHost: slow');
  t.regex(await client.all(), /^HTTP\/1\.1 408 /);
});

test('a connection that stays idle is closed, one whose answer takes longer is not', async (t) => {
  const hasty = await farm.gateway({ keepAliveMs: 1_000 });
  const { host } = await sites.http((incoming, response) => void setTimeout(() => response.end('slow enough'), incoming.url === '/slow' ? 3_000 : 0));
  await sites.known(host, hasty);
  const idle = new RawClient(hasty);
  const slow = new RawClient(hasty).send(`GET /slow HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  const again = new RawClient(hasty).send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  await again.until('slow enough');
  t.is(await idle.all(), '');
  t.regex(await again.all(), /slow enough/);
  t.regex(await slow.all(), /slow enough/);
});

test('an HTTP/1.0 visitor gets an answer it can read', async (t) => {
  const { host } = await sites.http((incoming, response) => {
    response.write(`${incoming.httpVersion} `);
    response.end('chunked here');
  });
  const answer = await raw().send(`GET / HTTP/1.0\r\nHost: ${host}\r\n\r\n`).all();
  t.regex(answer, /^HTTP\/1\.1 200 OK\r\n/);
  t.notRegex(answer, /transfer-encoding/i);
  t.true(answer.endsWith('\r\n\r\n1.1 chunked here'));
  t.regex(await raw().send('GET / HTTP/1.0\r\n\r\n').all(), /^HTTP\/1\.1 404 /);
});

test('an absolute target goes before the Host field', async (t) => {
  const { host } = await sites.http((incoming, response) => void response.end(`${incoming.headers.host} ${incoming.url}`));
  const answer = await raw().send(`GET http://${host.toUpperCase()}/p?q HTTP/1.1\r\nHost: other.test\r\nConnection: close\r\n\r\n`).all();
  t.true(answer.endsWith(`${host.toUpperCase()} /p?q`), answer);
  t.regex(await raw().send(`GET http://${host}?q HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`).all(), / \/\?q$/);
  t.regex(await raw().send(`OPTIONS * HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`).all(), /^HTTP\/1\.1 400 /);
  t.regex(await raw().send(`CONNECT ${host}:80 HTTP/1.1\r\nHost: ${host}\r\n\r\n`).all(), /^HTTP\/1\.1 405 /);
});

test('pipelined requests are answered in order, one at a time', async (t) => {
  let together = 0;
  let most = 0;
  const { host } = await sites.http((incoming, response) => {
    most = Math.max(most, (together += 1));
    setTimeout(() => {
      together -= 1;
      response.end(`[${incoming.url}]`);
    }, incoming.url === '/0' ? 50 : 1);
  });
  const requests = Array.from({ length: 20 }, (_, n) => `${n % 3 === 0 ? 'POST' : 'GET'} /${n} HTTP/1.1\r\nHost: ${host}\r\n${n % 3 === 0 ? 'Content-Length: 2\r\n\r\nab' : '\r\n'}`);
  const client = raw().send(requests.join(''));
  const answer = await client.until('[/19]');
  client.close();
  t.deepEqual(answer.match(/\[\/\d+\]/g), Array.from({ length: 20 }, (_, n) => `[/${n}]`));
  t.is(most, 1);
});

test('a visitor who leaves with pipelined requests waiting leaves nothing in flight', async (t) => {
  const { host, app, upstream } = await sites.http(() => {});
  const client = raw().send(`GET /1 HTTP/1.1\r\nHost: ${host}\r\n\r\nGET /2 HTTP/1.1\r\nHost: ${host}\r\n\r\nGET /3 HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  await farm.reported(app, (report) => report.inFlight === 1);
  await waitUntil(() => upstream.requests === 1, { what: 'the first to arrive' });
  client.close();
  await waitUntil(() => farm.lastReport(app)?.inFlight === 0, { what: 'nothing in flight' });
  t.is(upstream.requests, 1);
});

test('100 Continue comes when an instance is there to take the body, and not before', async (t) => {
  const { host } = await sites.http((incoming, response) => {
    incoming.resume().on('end', () => response.end(`expect: ${incoming.headers.expect ?? 'none'}`));
  });
  const client = raw().send(`POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n`);
  await client.until('HTTP/1.1 100 Continue\r\n\r\n');
  t.regex(await client.send('abc').until('none'), /expect: none$/);
  client.close();
  const unknown = await raw().send('POST / HTTP/1.1\r\nHost: nobody.test\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n').all();
  t.regex(unknown, /^HTTP\/1\.1 404 /);
  t.notRegex(unknown, /100 Continue/);
  t.regex(await raw().send(`GET / HTTP/1.1\r\nHost: ${host}\r\nExpect: the-moon\r\nConnection: close\r\n\r\n`).all(), /^HTTP\/1\.1 417 /);
});

test('early hints are passed on', async (t) => {
  const { host } = await sites.http((_incoming, response) => {
    response.writeEarlyHints({ link: '</a.css>; rel=preload; as=style' });
    response.end('done');
  });
  const answer = await raw().send(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`).all();
  t.regex(answer, /^HTTP\/1\.1 103 Early Hints\r\n.*<\/a\.css>.*\r\n\r\nHTTP\/1\.1 200 OK\r\n/is);
});

test('a connection is used again, whichever way the answers end', async (t) => {
  const { host, upstream } = await sites.http((incoming, response) => {
    if (incoming.url === '/chunked') response.write('a');
    response.end('b');
  });
  const client = raw();
  for (const path of ['/', '/chunked', '/', '/nothing-here']) {
    client.received = '';
    client.send(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    await client.until(/b(\r\n0\r\n\r\n)?$/);
  }
  client.close();
  t.is(upstream.connections, 1);
});

test('an instance that closes after each answer, and says so or not, costs no visitor anything', async (t) => {
  for (const head of ['HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n', 'HTTP/1.0 200 OK\r\n\r\n', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n']) {
    const { host } = await sites.tcp((socket) => void socket.once('data', () => socket.end(`${head}ok`)));
    for (let round = 0; round < 20; round += 1) {
      const answer = await raw().send(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`).all();
      t.regex(answer, /^HTTP\/1\.1 200 OK\r\n.*ok/s);
    }
  }
});

test('a safe request on a kept-alive connection that the instance just closed goes out again, once', async (t) => {
  const seen: string[] = [];
  const { host } = await sites.tcp((socket) => {
    socket.on('data', (chunk: Buffer) => {
      seen.push(String(chunk).split(' ')[0]!);
      // The second request on a connection finds it dead: as if the close had crossed it.
      if (socket.listenerCount('data') > 0 && (socket as { used?: boolean }).used) return void socket.destroy();
      (socket as { used?: boolean }).used = true;
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
  });
  const get = (): Promise<string> => raw().send(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`).all();
  const post = (): Promise<string> => raw().send(`POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`).all();
  t.regex(await get(), /200 OK/);
  t.regex(await get(), /200 OK/);
  t.deepEqual(seen, ['GET', 'GET', 'GET']);
  t.regex(await post(), /502 Bad Gateway/);
  t.is(count(seen.join(' '), /POST/g), 1);
});

test('a response without end is passed on until either side ends it', async (t) => {
  let closed = false;
  const { host } = await sites.http((_incoming, response) => {
    const timer = setInterval(() => response.write('tick\n'), 10);
    response.on('close', () => {
      clearInterval(timer);
      closed = true;
    });
  });
  const client = raw().send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  await client.until(/(tick\n[^t]*){5}/);
  client.close();
  await Promise.race([once(client.socket, 'close')]);
  await waitUntil(() => closed, { what: 'the instance to notice' });
  t.true(closed);
});
