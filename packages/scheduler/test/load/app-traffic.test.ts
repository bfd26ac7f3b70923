import test from 'ava';
import fc from 'fast-check';
import type { Traffic } from '@appshot/protocol';
import { AppTraffic } from '../../src/load/app-traffic.js';

const report = (gateway: string, inFlight: number, part: Partial<Traffic> = {}): Traffic =>
  ({ gateway, at: 0, app: 'shop', inFlight, held: 0, arrived: 0, lastActiveAt: 0, instances: [], ...part });

test('what two gateways have in flight adds up, and a silent window goes on counting it', (t) => {
  const traffic = new AppTraffic(2_000, 0);
  traffic.note(report('a', 10), 0);
  traffic.note(report('b', 20), 1_000);
  t.like(traffic.window(2_000), { inFlightNow: 30, inFlightMax: 30, inFlightMean: 20 });
  t.like(traffic.window(10_000), { inFlightNow: 30, inFlightMean: 30 });
});

test('a short burst weighs as little as it was short', (t) => {
  const traffic = new AppTraffic(2_000, 0);
  traffic.note(report('a', 100), 8_000);
  traffic.note(report('a', 0), 8_100);
  t.is(traffic.window(9_000).inFlightMean, 100 * 100 / 2_000);
  t.is(traffic.window(12_000).inFlightMean, 0);
});

test('a gateway that has gone, or is silent for long, has nothing in flight', (t) => {
  const traffic = new AppTraffic(2_000, 0);
  traffic.note(report('a', 1), 0);
  traffic.note(report('b', 2), 0);
  traffic.keepGateways(new Set(['b']), 1_000);
  t.is(traffic.inFlight, 2);
  traffic.keepGateways(new Set(['b']), 16_000);
  t.is(traffic.inFlight, 0);
});

test('since when requests are held', (t) => {
  const traffic = new AppTraffic(2_000, 0);
  traffic.note(report('a', 5, { held: 5 }), 100);
  traffic.note(report('a', 6, { held: 6 }), 400);
  t.is(traffic.window(500).heldSince, 100);
  traffic.note(report('a', 6, { held: 0 }), 600);
  t.is(traffic.window(700).heldSince, null);
});

test('response times are weighed by the number of requests', (t) => {
  const traffic = new AppTraffic(2_000, 0);
  const instance = (aid: string, finished: number, p95Ms: number) => ({ aid, inFlight: 0, finished, failed: 0, p50Ms: 1, p95Ms });
  traffic.note(report('a', 0, { instances: [instance('x', 90, 100), instance('y', 10, 1_100)] }), 100);
  t.like(traffic.window(200), { finished: 100, p95Ms: 200 });
  t.is(traffic.window(5_000).p95Ms, null);
});

test('pauses between visitors are learnt, also of visits too short to be seen in flight', (t) => {
  const traffic = new AppTraffic(2_000, 0);
  traffic.note(report('a', 0, { arrived: 1, lastActiveAt: 1_000 }), 1_000);
  traffic.note(report('a', 0, { arrived: 1, lastActiveAt: 61_000 }), 61_000);
  traffic.note(report('a', 1, { arrived: 1 }), 121_000);
  t.is(traffic.idleHistory.count, 2);
  // Busy since then: no pause.
  traffic.note(report('a', 2, { arrived: 1 }), 200_000);
  t.is(traffic.idleHistory.count, 2);
});

test('over random reports: the mean lies between nothing and the highest, and the slots stay bounded', (t) => {
  const step = fc.record({ after: fc.nat(5_000), gateway: fc.constantFrom('a', 'b'), inFlight: fc.nat(100) });
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const traffic = new AppTraffic(2_000, 0);
    let now = 0;
    const peak = { a: 0, b: 0 };
    for (const { after, gateway, inFlight } of steps) {
      now += after;
      peak[gateway] = Math.max(peak[gateway], inFlight);
      traffic.note(report(gateway, inFlight), now);
      const window = traffic.window(now);
      t.true(window.inFlightMean >= 0 && window.inFlightMean <= window.inFlightMax * 1.0001 + 1e-9);
      t.true(window.inFlightMax <= peak.a + peak.b);
    }
  }));
});
