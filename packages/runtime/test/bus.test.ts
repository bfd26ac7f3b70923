import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { z } from 'zod';
import type { Call, Notice } from '@appshot/protocol';
import { type Bus, FarmError, connectBus, createLogger, createMetrics, gatherMetrics, serveMetrics } from '../src/index.js';
import { startNats, type TestServer, waitUntil } from '../src/testing/index.js';

const logger = createLogger('test');
const double: Call<z.ZodObject<{ n: z.ZodNumber }>, z.ZodNumber> = { subject: 'test.double', request: z.object({ n: z.number() }), reply: z.number(), timeoutMs: 30_000 };
const ticked: Notice<z.ZodObject<{ n: z.ZodNumber }>> = { subject: 'test.ticked', body: z.object({ n: z.number() }) };

async function farm(count: number): Promise<{ nats: TestServer; buses: Bus[]; end: () => Promise<void> }> {
  const nats = await startNats();
  const buses = await Promise.all(Array.from({ length: count }, (_, i) => connectBus({ url: nats.url, name: `test-${i}`, logger })));
  return { nats, buses, end: async () => { await Promise.all(buses.map((bus) => bus.close())); await nats.stop(); } };
}

test('a call is answered, and what the handler throws arrives as the same FarmError', async (t) => {
  const { buses: [a, b], end } = await farm(2);
  t.teardown(end);
  await a!.serve(double, ({ n }) => {
    if (n < 0) throw new FarmError('no-room', 'no room for negatives', { facts: { n } });
    return n * 2;
  });
  t.is(await b!.call(double, { n: 21 }), 42);
  const error = await t.throwsAsync(b!.call(double, { n: -1 }), { instanceOf: FarmError });
  t.is((error as FarmError).code, 'no-room');
  t.deepEqual((error as FarmError).facts, { n: -1 });
});

test('both ends validate', async (t) => {
  const { buses: [a, b], end } = await farm(2);
  t.teardown(end);
  await a!.serve(double, () => 'four' as unknown as number);
  const bad = await t.throwsAsync(b!.call(double, { n: 'x' as unknown as number }));
  t.is((bad as FarmError).code, 'bad-request');
  const wrong = await t.throwsAsync(b!.call(double, { n: 2 }));
  t.is((wrong as FarmError).code, 'internal');
  const loose = { ...double, request: z.object({ n: z.any() }) };
  const refused = await t.throwsAsync(b!.call(loose, { n: 'x' }));
  t.is((refused as FarmError).code, 'bad-request');
});

test('nobody serving is unavailable at once; a slow server is a timeout', async (t) => {
  const { buses: [a, b], end } = await farm(2);
  t.teardown(end);
  const none = await t.throwsAsync(b!.call(double, { n: 1 }));
  t.is((none as FarmError).code, 'unavailable');
  let finish = (): void => {};
  await a!.serve(double, () => new Promise<number>((resolve) => { finish = () => resolve(1); }));
  const late = await t.throwsAsync(b!.call(double, { n: 1 }, { timeoutMs: 100 }));
  t.is((late as FarmError).code, 'timeout');
  finish();
});

test('handlers run concurrently, and a queue shares calls out', async (t) => {
  const { buses: [a, b, c], end } = await farm(3);
  t.teardown(end);
  const served = { a: 0, b: 0 };
  let waiting: (() => void)[] = [];
  const hold = (name: 'a' | 'b') => ({ n }: { n: number }): Promise<number> => {
    served[name]++;
    return new Promise((resolve) => waiting.push(() => resolve(n * 2)));
  };
  await a!.serve(double, hold('a'), { queue: 'q' });
  await b!.serve(double, hold('b'), { queue: 'q' });
  const calls = Array.from({ length: 100 }, (_, n) => c!.call(double, { n }));
  await waitUntil(() => waiting.length === 100, { what: '100 handlers at once' });
  for (const go of waiting) go();
  waiting = [];
  t.deepEqual(await Promise.all(calls), Array.from({ length: 100 }, (_, n) => n * 2));
  t.is(served.a + served.b, 100);
  t.true(served.a > 0 && served.b > 0);
});

test('notices reach every subscriber; one that does not fit is dropped', async (t) => {
  const { buses: [a, b, c], end } = await farm(3);
  t.teardown(end);
  const heard: number[] = [];
  await a!.subscribe(ticked, ({ n }) => { heard.push(n); });
  await b!.subscribe(ticked, ({ n }) => { heard.push(n); throw new Error('a handler may fail'); });
  c!.publish({ ...ticked, body: z.object({ n: z.any() }) }, { n: 'no number' });
  c!.publish(ticked, { n: 7 });
  await waitUntil(() => heard.length === 2, { what: 'two notices' });
  t.deepEqual(heard, [7, 7]);
});

test('stopping a server lets its running handlers answer and takes nothing more', async (t) => {
  const { buses: [a, b], end } = await farm(2);
  t.teardown(end);
  let finish: (() => void) | undefined;
  // Calls that still come through while the subscription ends are answered at once: stopping waits for every running handler.
  const serving = await a!.serve(double, ({ n }) => (n === 3 ? new Promise<number>((resolve) => { finish = () => resolve(n); }) : n));
  const call = b!.call(double, { n: 3 });
  const running = await waitUntil(() => finish, { what: 'the handler to run' });
  const stopped = serving.stop();
  await waitUntil(async () => (await b!.call(double, { n: 4 }, { timeoutMs: 50 }).then(() => 'ok', (e: FarmError) => e.code)) === 'unavailable', { what: 'the subscription to end' });
  running();
  await stopped;
  t.is(await call, 3);
});

test('NATS dies and comes back: waiting calls are answered, servers and subscribers go on', async (t) => {
  const { nats, buses: [a, b], end } = await farm(2);
  t.teardown(end);
  const heard: number[] = [];
  let holding: ((n: number) => void) | undefined;
  let asked = 0;
  await a!.serve(double, ({ n }) => {
    if (n === 100 && asked++ === 0) return new Promise<number>((resolve) => { holding = resolve; });
    return n * 2;
  });
  await a!.subscribe(ticked, ({ n }) => { heard.push(n); });

  const inFlight = b!.call(double, { n: 100 }, { timeoutMs: 30_000 });
  await waitUntil(() => holding, { what: 'the call to be in a handler' });
  await nats.kill();
  await waitUntil(() => !a!.connected && !b!.connected, { what: 'both to notice' });
  b!.publish(ticked, { n: 1 });
  const whileAway = Array.from({ length: 20 }, (_, n) => b!.call(double, { n }, { timeoutMs: 30_000 }));
  const impatient = await t.throwsAsync(b!.call(double, { n: 1 }, { timeoutMs: 50 }));
  t.is((impatient as FarmError).code, 'unavailable');

  await nats.start();
  t.deepEqual(await Promise.all(whileAway), Array.from({ length: 20 }, (_, n) => n * 2));
  t.is(await inFlight, 200, 'the call whose answer was lost is asked again');
  holding!(1);
  await waitUntil(() => { b!.publish(ticked, { n: 2 }); return heard.length > 0; }, { what: 'a notice after the outage' });
  t.false(heard.includes(1), 'what was published while NATS was away is dropped');
});

test('NATS away for ten seconds is survived', async (t) => {
  const { nats, buses: [a, b], end } = await farm(2);
  t.teardown(end);
  await a!.serve(double, ({ n }) => n * 2);
  await nats.kill();
  const call = b!.call(double, { n: 4 }, { timeoutMs: 60_000 });
  await delay(10_000);
  await nats.start();
  t.is(await call, 8);
});

test('a NATS that hangs for a while delays calls and loses none', async (t) => {
  const { nats, buses: [a, b], end } = await farm(2);
  t.teardown(end);
  await a!.serve(double, ({ n }) => n * 2);
  nats.pause();
  const calls = Array.from({ length: 50 }, (_, n) => b!.call(double, { n }, { timeoutMs: 30_000 }));
  t.is(await Promise.race([...calls, delay(300, 'silence')]), 'silence');
  nats.resume();
  t.deepEqual(await Promise.all(calls), Array.from({ length: 50 }, (_, n) => n * 2));
});

test('closing ends also while NATS is away, and waiting calls learn of it', async (t) => {
  const { nats, buses: [a, b], end } = await farm(2);
  t.teardown(end);
  await a!.serve(double, ({ n }) => n);
  await nats.kill();
  await waitUntil(() => !b!.connected);
  const call = b!.call(double, { n: 1 }, { timeoutMs: 60_000 });
  const [error] = await Promise.all([t.throwsAsync(call), b!.close()]);
  t.is((error as FarmError).code, 'unavailable');
});

test('a reply that is too large is an error, not silence', async (t) => {
  const { buses: [a, b], end } = await farm(2);
  t.teardown(end);
  const big = { ...double, reply: z.string() };
  await a!.serve(big, () => 'x'.repeat(2_000_000));
  const error = await t.throwsAsync(b!.call(big, { n: 1 }));
  t.is((error as FarmError).code, 'internal');
  t.regex(error!.message, /could not be sent/);
});

test('no NATS at the start is unavailable after the given time', async (t) => {
  const error = await t.throwsAsync(connectBus({ url: 'nats://127.0.0.1:9', name: 'x', logger, withinMs: 300 }));
  t.is((error as FarmError).code, 'unavailable');
});

test('the metrics of all roles are gathered into one text', async (t) => {
  const { buses: [a, b, c], end } = await farm(3);
  t.teardown(end);
  for (const [bus, id] of [[a!, 'g1'], [b!, 'g2']] as const) {
    const metrics = createMetrics('gateway', id);
    metrics.counter({ name: 'appshot_requests_total', help: 'Requests.', labels: ['app'] }).inc({ app: 'shop' }, 3);
    metrics.histogram({ name: 'appshot_wake_seconds', help: 'Wakes.', labels: ['phase'] }).observe({ phase: 'fill' }, 0.004);
    await serveMetrics(bus, metrics);
  }
  const text = await gatherMetrics(c!, 3_000);
  t.regex(text, /appshot_requests_total\{app="shop",role="gateway",id="g1"\} 3/);
  t.regex(text, /appshot_requests_total\{app="shop",role="gateway",id="g2"\} 3/);
  t.regex(text, /appshot_wake_seconds_bucket\{[^}]*le="0\.005"[^}]*\} 1/);
});

test('gathering brings every answer, leaves errors out, and is empty where nobody answers', async (t) => {
  const { buses: [a, b, c], end } = await farm(3);
  t.teardown(end);
  const who = { subject: 'test.who', request: z.object({}), reply: z.string(), timeoutMs: 30_000 };
  await a!.serve(who, () => 'a');
  await b!.serve(who, () => { throw new Error('b cannot'); });
  await c!.serve(who, () => 'c');
  t.deepEqual((await c!.gather('test.who', 3_000)).sort(), ['a', 'c']);
  t.deepEqual(await c!.gather('test.nobody', 300), []);
});
