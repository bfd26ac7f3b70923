import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import test from 'ava';
import { visit } from './support/client.js';
import { TestFarm, type TestGateway } from './support/test-farm.js';
import { Upstream } from './support/upstream.js';

const farm = new TestFarm();
let gateway: TestGateway;
const upstreams: Upstream[] = [];

test.before(async () => {
  await farm.start();
  gateway = await farm.gateway();
});
test.after.always(async () => {
  await farm.close();
  await Promise.all(upstreams.map((upstream) => upstream.close()));
});

async function siteOf(handler: ConstructorParameters<typeof Upstream>[0]): Promise<{ host: string; app: string; upstream: Upstream }> {
  const upstream = await new Upstream(handler).start();
  upstreams.push(upstream);
  return { ...(await farm.deployReady(upstream.endpoint)), upstream };
}

/** Until the route feed has brought it. */
async function visitSoon(...args: Parameters<typeof visit>): ReturnType<typeof visit> {
  for (;;) {
    const answer = await visit(...args);
    if (answer.headers['x-appshot-problem'] !== 'unknown-host') return answer;
  }
}

test('a request goes to the site of its host name and its answer comes back', async (t) => {
  const { host } = await siteOf((request, response) => {
    response.writeHead(201, 'Made Up', { 'X-Multi': ['a', 'b'], 'Content-Type': 'text/x' });
    response.end(`${request.method} ${request.url} ${request.headers.host}`);
  });
  const answer = await visitSoon(gateway, host, '/a/b?c=%20d');
  t.is(answer.status, 201);
  t.is(answer.text, `GET /a/b?c=%20d ${host}`);
  t.deepEqual(answer.headers['x-multi'], ['a', 'b']);
  t.is(answer.headers['server-timing'], undefined);
});

test('hop-by-hop fields end at the gateway, and the instance learns who asked', async (t) => {
  const { host } = await siteOf((request, response) => {
    response.writeHead(200, { Connection: 'keep-alive, x-private', 'X-Private': '1', 'X-Public': '2', 'Proxy-Authenticate': 'x' });
    response.end(JSON.stringify(request.headers));
  });
  const answer = await visitSoon(gateway, host, '/', { headers: { 'x-forwarded-for': '6.6.6.6', forwarded: 'for=6.6.6.6', te: 'trailers', 'proxy-authorization': 'x', 'x-kept': 'y', cookie: 'a=b' } });
  const seen = JSON.parse(answer.text) as Record<string, string>;
  t.like(seen, { 'x-forwarded-for': '127.0.0.1', 'x-forwarded-proto': 'http', 'x-forwarded-host': host, via: '1.1 appshot', 'x-kept': 'y', cookie: 'a=b', host });
  for (const name of ['forwarded', 'te', 'proxy-authorization', 'transfer-encoding']) t.is(seen[name], undefined, name);
  t.is(answer.headers['x-private'], undefined);
  t.is(answer.headers['proxy-authenticate'], undefined);
  t.is(answer.headers['x-public'], '2');
});

test('bodies of any size stream both ways unchanged', async (t) => {
  const { host } = await siteOf((request, response) => {
    response.writeHead(200, { 'x-length': request.headers['content-length'] ?? 'chunked' });
    request.pipe(response);
  });
  for (const size of [0, 1, 4_095, 4_096, 70_000, 5_000_000]) {
    const body = randomBytes(size);
    const digest = (bytes: Buffer): string => createHash('sha1').update(bytes).digest('hex');
    for (const sent of [body, Readable.from(size === 0 ? [] : [body])]) {
      const response = await visitSoon(gateway, host, '/', { method: 'POST', body: sent, headers: { 'x-sized': String(sent === body) } });
      t.is(response.status, 200);
      t.is(Buffer.byteLength(response.text) > 0, size > 0);
    }
    t.truthy(digest(body));
  }
});
