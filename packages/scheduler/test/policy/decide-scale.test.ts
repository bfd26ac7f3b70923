import test from 'ava';
import fc from 'fast-check';
import { ScaleSpec } from '@appshot/protocol';
import { decideScale, scaleTuning, type SiteView } from '../../src/policy/decide-scale.js';
import { quietLoad, type LoadWindow } from '../../src/policy/load-window.js';

const scale = (part: Partial<ScaleSpec> = {}): ScaleSpec => ScaleSpec.parse({ concurrency: 50, ...part });
const site = (part: Partial<SiteView> = {}): SiteView => ({
  scale: scale(), ready: 1, newestReadyAt: 0, starting: 0, asleepOnRequest: 0, roomFor: 100, cpuLeft: true, template: 'ready', lastGrownAt: null, ...part,
});
const load = (part: Partial<LoadWindow> = {}): LoadWindow => ({ ...quietLoad, spanMs: 2_000, ...part });
const now = 100_000;

test('the documented example: 120 in flight with concurrency 50 ask for four', (t) => {
  const decision = decideScale(site({ ready: 2, starting: 1 }), load({ inFlightMean: 120, inFlightNow: 120 }), now);
  t.like(decision, { kind: 'grow', count: 1, because: 'concurrency-above-target', desired: 4 });
});

test('a load within the targets changes nothing', (t) => {
  t.like(decideScale(site(), load({ inFlightMean: 30, inFlightNow: 30 }), now), { kind: 'hold', because: 'within-targets' });
});

test('a sleeping site with 200 visitors waiting is left to the wake path', (t) => {
  const waiting = load({ inFlightNow: 200, inFlightMean: 200, heldNow: 200, heldSince: now - 5_000 });
  t.like(decideScale(site({ ready: 0, newestReadyAt: null }), waiting, now), { kind: 'hold', because: 'asleep' });
  t.like(decideScale(site({ ready: 0, newestReadyAt: null, starting: 1 }), waiting, now), { kind: 'hold', because: 'waking' });
  // Just woken: the crowd of the wake is still being served, and the mean has hardly seen it.
  t.like(decideScale(site({ newestReadyAt: now - 50 }), load({ inFlightNow: 200, inFlightMean: 10, heldNow: 150, heldSince: now - 5_000 }), now), { kind: 'hold' });
});

test('requests that are held while an instance is ready ask for clones at once', (t) => {
  const held = load({ inFlightNow: 120, inFlightMean: 20, heldNow: 70, heldSince: now - 400 });
  t.like(decideScale(site(), held, now), { kind: 'grow', because: 'requests-held', count: 3 });
  t.like(decideScale(site({ lastGrownAt: now - 100 }), held, now), { kind: 'hold', because: 'cooling-down' });
  t.like(decideScale(site({ lastGrownAt: now - scaleTuning.heldCoolingMs }), held, now), { kind: 'grow' });
});

test('a p95 above its target clones only where clones can help', (t) => {
  const slow = load({ inFlightMean: 10, inFlightNow: 10, finished: 100, p95Ms: 900 });
  t.like(decideScale(site(), slow, now), { kind: 'grow', because: 'p95-above-target', count: 1 });
  t.like(decideScale(site(), { ...slow, inFlightMean: 0.8 }, now), { kind: 'hold', because: 'clones-would-not-help' });
  t.like(decideScale(site({ cpuLeft: false }), slow, now), { kind: 'hold', because: 'cpu-full' });
  t.like(decideScale(site(), { ...slow, finished: 3 }, now), { kind: 'hold', because: 'within-targets' });
  t.like(decideScale(site({ lastGrownAt: now - 500 }), slow, now), { kind: 'hold', because: 'cooling-down' });
});

test('a slow site is not shrunk', (t) => {
  const slow = load({ inFlightMean: 10, inFlightNow: 10, finished: 100, p95Ms: 900 });
  t.like(decideScale(site({ ready: 4, lastGrownAt: now }), slow, now), { kind: 'hold' });
});

test('without a template it says so, and grows by launching where there can be none', (t) => {
  const busy = load({ inFlightMean: 200, inFlightNow: 200 });
  t.like(decideScale(site({ template: 'none' }), busy, now), { kind: 'hold', because: 'template-missing' });
  t.like(decideScale(site({ template: 'making' }), busy, now), { kind: 'hold', because: 'template-in-making' });
  t.like(decideScale(site({ template: 'impossible' }), busy, now), { kind: 'grow' });
});

test('min is kept, also without a visitor, unless somebody put the site to sleep', (t) => {
  const view = site({ ready: 0, newestReadyAt: null, scale: scale({ min: 2 }), template: 'none' });
  t.like(decideScale(view, quietLoad, now), { kind: 'grow', because: 'below-min', count: 2 });
  t.like(decideScale({ ...view, asleepOnRequest: 2 }, quietLoad, now), { kind: 'hold', because: 'asleep' });
});

test('the limits hold: max and room', (t) => {
  const busy = load({ inFlightMean: 5_000, inFlightNow: 5_000 });
  t.like(decideScale(site({ scale: scale({ max: 3 }), ready: 3 }), busy, now), { kind: 'hold', because: 'at-max' });
  t.like(decideScale(site({ roomFor: 0 }), busy, now), { kind: 'hold', because: 'no-room' });
  t.like(decideScale(site({ roomFor: 2 }), busy, now), { kind: 'grow', count: 2 });
});

const anyScale = fc.record({ min: fc.integer({ min: 0, max: 5 }), over: fc.integer({ min: 1, max: 30 }), concurrency: fc.integer({ min: 1, max: 200 }) })
  .map(({ min, over, concurrency }) => scale({ min, max: min + over, concurrency }));
const anySite: fc.Arbitrary<SiteView> = fc.record({
  scale: anyScale, ready: fc.nat(40), newestReadyAt: fc.constantFrom(null, 0, now - 100), starting: fc.nat(5), asleepOnRequest: fc.nat(3),
  roomFor: fc.nat(20), cpuLeft: fc.boolean(), template: fc.constantFrom('ready', 'making', 'none', 'impossible'), lastGrownAt: fc.option(fc.integer({ min: 0, max: now })),
});
const anyLoad: fc.Arbitrary<LoadWindow> = fc.record({
  spanMs: fc.nat(2_000), inFlightMean: fc.double({ min: 0, max: 5_000, noNaN: true }), inFlightMax: fc.nat(9_999), inFlightNow: fc.nat(5_000), heldNow: fc.nat(5_000),
  heldSince: fc.option(fc.integer({ min: 0, max: now })), arrived: fc.nat(9_999), finished: fc.nat(9_999), failed: fc.nat(10),
  p95Ms: fc.option(fc.double({ min: 0, max: 5_000, noNaN: true })), lastActiveAt: fc.option(fc.integer({ min: 0, max: now })),
});

test('whatever the load, no decision leaves the limits', (t) => {
  fc.assert(fc.property(anySite, anyLoad, (view, window) => {
    const decision = decideScale(view, window, now);
    const have = view.ready + view.starting;
    t.true(decision.desired >= 0 && decision.desired <= view.scale.max);
    if (decision.kind === 'grow') t.true(decision.count >= 1 && have + decision.count <= view.scale.max && decision.count <= view.roomFor);
    if (decision.kind === 'surplus') t.true(have - decision.count >= Math.min(have, view.scale.max, Math.max(0, view.scale.min - view.asleepOnRequest)));
  }));
});

test('more in flight never asks for fewer instances', (t) => {
  fc.assert(fc.property(anySite, anyLoad, fc.nat(5_000), (view, window, more) => {
    const busier = { ...window, inFlightMean: window.inFlightMean + more, inFlightNow: window.inFlightNow + more };
    t.true(decideScale(view, busier, now).desired >= decideScale(view, window, now).desired);
  }));
});
