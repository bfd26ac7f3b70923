import { request } from 'node:http';
import test from 'ava';
import { waitUntil } from '@appshot/runtime/testing';
import { appFile, playFarm } from './played/played-farm.js';

test('every verb and view answers as documented', async (t) => {
  const farm = await playFarm(t);
  await farm.api('POST', '/apps', appFile('shop'));
  const [one] = await farm.instances('shop');
  const { aid } = one!;
  const rows = (await farm.api('GET', '/instances')).body;
  t.deepEqual(Object.keys(rows[0]), ['aid', 'app', 'state', 'node', 'ip', 'port', 'pids', 'memoryBytes', 'since', 'reason', 'tier', 'zygote']);
  t.like(rows[0], { aid, app: 'shop', state: 'ready', node: 'n1', ip: '127.0.0.1', reason: 'deployed' });
  t.like((await farm.api('GET', '/nodes')).body[0], { node: 'n1' });
  t.deepEqual((await farm.api('POST', '/template', { app: 'shop' })).body.app, 'shop');
  t.is((await farm.api('POST', '/clone', { app: 'shop', count: 1 })).body.length, 1);
  t.like(await farm.api('POST', '/clone', { app: 'shop', count: 100 }), { status: 400, body: { code: 'bad-request' } });
  t.like((await farm.api('GET', `/inspect/${aid}`)).body, { id: aid, registry: { instance: { aid } } });
  t.like((await farm.api('GET', `/rids/${aid}`)).body, { aid, rids: { 0: { type: 'port', virtual: 3000 }, 1: { type: 'pid', virtual: 2 } } });
  t.is((await farm.api('GET', `/logs/${aid}`)).body, `hello from ${aid}\n`);
  t.regex((await farm.api('GET', '/logs/shop')).body, new RegExp(`^${aid} hello from ${aid}\n`));
  t.like(await farm.api('POST', '/move', { aid, to: 'n2' }), { status: 501, body: { code: 'not-on-one-machine' } });
  // The view follows the feed of changes.
  await waitUntil(async () => (await farm.api('GET', '/top')).body.apps[0].states.ready === 2, { what: 'both instances in the view' });
  t.like((await farm.api('GET', '/top')).body.apps[0], { app: 'shop', states: { ready: 2 } });
  t.is((await farm.api('POST', '/sleep', { target: aid })).body[0].aid, aid);
  t.is((await farm.api('POST', '/wake', { target: aid })).body[0].aid, aid);
  t.is((await farm.api('POST', '/stop', { target: 'shop' })).body.length, 2);
  t.deepEqual((await farm.api('GET', '/instances')).body, []);
});

test('wrong input is refused with a coded error', async (t) => {
  const farm = await playFarm(t);
  const code = async (method: string, path: string, body?: unknown): Promise<string> => {
    const answer = await farm.api(method, path, body);
    return `${answer.status} ${answer.body.code}`;
  };
  t.is(await code('POST', '/wake', { target: 'nobody' }), '404 not-found');
  t.is(await code('POST', '/wake', { target: 'No Body' }), '400 bad-request');
  t.is(await code('POST', '/wake', {}), '400 bad-request');
  t.is(await code('GET', '/inspect/nothing'), '404 not-found');
  t.is(await code('GET', '/logs/nothing'), '404 not-found');
  t.is(await code('GET', '/nowhere'), '404 not-found');
  t.is(await code('GET', '/events?after=x'), '400 bad-request');
  const broken = await fetch(`${farm.schedulers[0]!.url}/wake`, { method: 'POST', body: '{', headers: { 'content-type': 'application/json' } });
  t.is(broken.status, 400);
  t.is(((await broken.json()) as { code: string }).code, 'bad-request');
});

test('events and logs can be followed', async (t) => {
  const farm = await playFarm(t);
  const stop = new AbortController();
  const response = await fetch(`${farm.schedulers[0]!.url}/events?follow=1`, { signal: stop.signal });
  t.is(response.headers.get('content-type'), 'application/x-ndjson');
  let text = '';
  const reading = (async () => { for await (const chunk of response.body!) text += Buffer.from(chunk as Uint8Array).toString(); })().catch(() => undefined);
  await farm.api('POST', '/apps', appFile('shop'));
  await waitUntil(() => text.includes('"type":"deployed"') && text.endsWith('\n'));
  const events = text.trim().split('\n').map((line) => JSON.parse(line) as { id: string; type: string; app: string | null });
  t.deepEqual(events.filter((event) => event.app === 'shop').map((event) => event.type), ['launched', 'deployed']);
  stop.abort();
  await reading;
  const launched = events.find((event) => event.type === 'launched')!;
  const later = (await farm.api('GET', `/events?after=${launched.id}`)).body;
  t.like(later, { type: 'deployed' });

  const logs = new AbortController();
  const followed = await fetch(`${farm.schedulers[0]!.url}/logs/shop?follow=1`, { signal: logs.signal });
  const first = await followed.body!.getReader().read();
  t.regex(Buffer.from(first.value as Uint8Array).toString(), /hello from/);
  logs.abort();
});

test('health, metrics and the description', async (t) => {
  const farm = await playFarm(t);
  await farm.api('POST', '/apps', appFile('shop'));
  await farm.api('POST', '/sleep', { target: 'shop' });
  await farm.gateway.visit('shop');
  // Its parts have to answer within a second.
  await waitUntil(async () => (await farm.api('GET', '/health')).status === 200, { what: 'the farm to be well' });
  t.like(await farm.api('GET', '/health'), { status: 200, body: { status: 'ok', parts: { redis: { ok: true }, nats: { ok: true }, gateways: ['gw1'] } } });
  const metrics = (await farm.api('GET', '/metrics')).body as string;
  t.regex(metrics, /appshot_scheduler_wakes_total\{app="shop",how="restore",[^}]*\} 1/);
  t.regex(metrics, /appshot_scheduler_wake_phase_seconds_bucket\{[^}]*phase="spawn"/);
  t.regex(metrics, /appshot_scheduler_events_total\{type="slept",[^}]*\} 1/);
  const description = (await farm.api('GET', '/openapi.json')).body;
  t.is(description.openapi, '3.1.0');
  t.deepEqual(Object.keys(description.paths).sort(), [
    '/apps', '/apps/{app}', '/clone', '/events', '/health', '/inspect/{id}', '/instances', '/logs/{target}', '/metrics', '/move', '/nodes', '/rids/{aid}', '/rollback', '/rollout', '/sleep', '/stop', '/template', '/top', '/wake',
  ]);
  t.deepEqual(description.paths['/wake'].post.requestBody.content['application/json'].schema.required, ['target']);
});

test('a web page that reaches it under a name of its own is refused', async (t) => {
  const farm = await playFarm(t, { settings: { apiHosts: 'farm.example, other' } });
  const statusAs = (host: string): Promise<number> => new Promise((resolve, reject) => {
    request(`${farm.schedulers[0]!.url}/apps`, { headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    }).once('error', reject).end();
  });
  t.deepEqual(await Promise.all(['localhost:8081', '127.0.0.1', '[::1]:1', 'farm.example:80'].map(statusAs)), [200, 200, 200, 200]);
  t.is(await statusAs('evil.example'), 400);
});
