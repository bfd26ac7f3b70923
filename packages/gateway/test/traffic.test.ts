import { setTimeout as delay } from 'node:timers/promises';
import { waitUntil } from '@appshot/runtime/testing';
import test from 'ava';
import { visit } from './support/client.js';
import { Sites } from './support/sites.js';
import { TestFarm, type TestGateway } from './support/test-farm.js';

const farm = new TestFarm();
let gateway: TestGateway;
const sites = new Sites(farm, () => gateway);

test.before(async () => {
  await farm.start();
  gateway = await farm.gateway({ trafficRefreshMs: 400 });
});
test.after.always(async () => {
  await farm.close();
  await sites.close();
});

test('a request is reported when it arrives and when it ends, soon', async (t) => {
  // Only edges are told within the test's time.
  const slow = await farm.gateway({ trafficEveryMs: 3_600_000, trafficRefreshMs: 3_600_000 });
  let finish = (): void => {};
  const { app, host, aid, upstream } = await sites.http((_incoming, response) => (finish = () => response.end('x')));
  await sites.known(host, slow);
  const before = Date.now();
  const answer = visit(slow, host);
  const busy = await farm.reported(app, (report) => report.inFlight === 1);
  t.is(busy.gateway, slow.id);
  t.is(busy.arrived, 1);
  t.true(busy.at >= before && busy.lastActiveAt >= before - 1 && busy.lastActiveAt <= busy.at + 1);
  await waitUntil(() => upstream.requests === 1, { what: 'the request to arrive' });
  finish();
  await answer;
  const idle = await farm.reported(app, (report) => report.inFlight === 0);
  t.deepEqual(idle.instances.map(({ aid: id, inFlight, failed }) => ({ id, inFlight, failed })), [{ id: aid, inFlight: 0, failed: 0 }]);
});

test('nothing arrives or ends unreported, and a hundred requests make few reports', async (t) => {
  const { app, host } = await sites.http((_incoming, response) => void response.end('x'));
  const since = performance.now();
  for (let n = 0; n < 100; n += 1) await visit(gateway, host);
  const tookMs = performance.now() - since;
  await farm.reported(app, (report) => report.inFlight === 0 && sum(app, (each) => each.arrived) === 100 && sum(app, (each) => each.instances.reduce((all, { finished }) => all + finished, 0)) === 100);
  const reports = farm.reports.filter((report) => report.app === app).length;
  t.true(reports <= 3 + tookMs / 20, `${reports} reports in ${tookMs} ms`);
});

function sum(app: string, value: (report: (typeof farm.reports)[number]) => number): number {
  return farm.reports.filter((report) => report.app === app).reduce((all, report) => all + value(report), 0);
}

test('response times are those of the instance, without the wait for it', async (t) => {
  const answersInMs = 500, visitors = 8;
  const { app, host } = await sites.http((_incoming, response) => void setTimeout(() => response.end('x'), answersInMs), { concurrency: 1 });
  const since = performance.now();
  await Promise.all(Array.from({ length: visitors }, () => visit(gateway, host)));
  const lastMs = performance.now() - since;
  await farm.reported(app, (report) => report.inFlight === 0 && report.arrived >= 0);
  const times = farm.reports.filter((report) => report.app === app).flatMap(({ instances }) => instances.flatMap(({ p95Ms }) => p95Ms ?? []));
  t.true(times.length > 0);
  // The last one waited for all before it.
  t.true(times.every((ms) => ms > answersInMs * 0.95 && ms < lastMs / 2), `${times.join()} of ${lastMs}`);
});

test('a long request is told again while nothing changes, for a scheduler that is new', async (t) => {
  const { app, host } = await sites.http(() => {});
  const controller = new AbortController();
  const answer = visit(gateway, host, '/', { signal: controller.signal }).catch(() => {});
  await farm.reported(app, (report) => report.inFlight === 1);
  t.is((await farm.reported(app, (report) => report.inFlight === 1 && report.arrived === 0)).arrived, 0);
  controller.abort();
  await answer;
});

test('a site that nobody visits is not reported', async (t) => {
  const { app } = await sites.http(() => {});
  await delay(600);
  t.is(farm.reports.filter((report) => report.app === app).length, 0);
});

test('the gateway is among the live ones, and not after its end', async (t) => {
  const other = await farm.gateway();
  await waitUntil(async () => (await farm.registry.gateways.live(Date.now())).includes(other.id), { what: 'its heartbeat' });
  await other.close();
  t.false((await farm.registry.gateways.live(Date.now())).includes(other.id));
});

test('metrics count requests, times and what is in flight, by app', async (t) => {
  const { app, host, upstream } = await sites.http((incoming, response) => {
    if (incoming.url === '/hang') return;
    response.statusCode = incoming.url === '/bad' ? 500 : 200;
    response.end('x');
  });
  for (const path of ['/', '/', '/bad']) await visit(gateway, host, path);
  const controller = new AbortController();
  const hanging = visit(gateway, host, '/hang', { signal: controller.signal }).catch(() => {});
  await waitUntil(() => upstream.requests === 4, { what: 'the last request' });
  const text = await gateway.metrics.registry.metrics();
  const labels = `app="${app}"`;
  for (const line of [
    `appshot_gateway_requests_total{${labels},code="2xx",`, `appshot_gateway_requests_total{${labels},code="5xx",`,
    `appshot_gateway_response_seconds_bucket{le="+Inf",${labels},`, `appshot_gateway_response_seconds_count{${labels},`,
  ]) t.true(text.includes(line), `${line}\n${text}`);
  t.regex(text, new RegExp(`requests_total\\{${labels},code="2xx",[^}]*\\} 2\\n`));
  t.regex(text, new RegExp(`response_seconds_count\\{${labels},[^}]*\\} 3\\n`));
  t.regex(text, new RegExp(`in_flight\\{${labels},[^}]*\\} 1\\n`));
  controller.abort();
  await hanging;
  const aborted = new RegExp(`requests_total\\{${labels},code="aborted",[^}]*\\} 1\\n`);
  await waitUntil(async () => aborted.test(await gateway.metrics.registry.metrics()), { what: 'the aborted request to be counted' });
  const json = (await gateway.metrics.registry.getMetricsAsJSON()) as unknown as { name: string; type: string; aggregator?: string }[];
  t.like(json.find(({ name }) => name === 'appshot_gateway_requests_total'), { aggregator: 'sum' });
});
