import test from 'ava';
import { ScaleSpec, type Traffic } from '@appshot/protocol';
import { AppTraffic } from '../../src/load/app-traffic.js';
import { decideScale } from '../../src/policy/decide-scale.js';
import { decideShrink, rememberDesired, type Desired } from '../../src/policy/decide-shrink.js';
import { readNumbers } from '../fixtures/read-fixture.js';

interface Model { readonly scale: ScaleSpec; readonly serveMs: number; readonly cloneMs: number }
interface Step { readonly at: number; readonly inFlight: number; readonly held: number; readonly ready: number; readonly wanted: number }

const aid = (n: number): string => `a${n.toString(16).padStart(13, '0')}`;

/**
 * Plays a load against both policies as the ticker does: reports every 250 ms, a look every 200, clones ready after their time.
 * What is in flight is the load times the time of service; what does not fit is held.
 */
function play(perSecond: readonly number[], { scale, serveMs, cloneMs }: Model): Step[] {
  const traffic = new AppTraffic(2_000, 0);
  const ready = [{ aid: aid(1), since: 0 }];
  let coming: { aid: string; at: number }[] = [];
  let desired: Desired[] = [];
  let lastGrownAt: number | null = null;
  let last = 1;
  const steps: Step[] = [];
  for (let now = 0; now < perSecond.length * 1000; now += 50) {
    for (const one of coming.filter((clone) => clone.at <= now)) ready.push({ aid: one.aid, since: now });
    coming = coming.filter((clone) => clone.at > now);
    const inFlight = Math.round((perSecond[Math.floor(now / 1000)] ?? 0) * serveMs / 1000);
    const held = Math.max(0, inFlight - ready.length * scale.concurrency);
    if (now % 250 === 0) traffic.note(reportOf(inFlight, held, ready.map((one) => one.aid)), now);
    if (now % 200 !== 0) continue;
    const load = traffic.window(now);
    const site = {
      scale, ready: ready.length, newestReadyAt: Math.max(...ready.map((one) => one.since)), starting: coming.length, asleepOnRequest: 0, roomFor: 100, cpuLeft: true,
      template: 'ready' as const, lastGrownAt,
    };
    const decision = decideScale(site, load, now);
    desired = rememberDesired(desired, { at: now, desired: decision.desired });
    if (decision.kind === 'grow') {
      lastGrownAt = now + cloneMs;
      for (let i = 0; i < decision.count; i++) coming.push({ aid: aid(++last), at: now + cloneMs });
    }
    const shrink = decideShrink({ scale, ready: ready.map((one) => ({ aid: one.aid, inFlight: 0 })), starting: coming.length, held: load.heldNow, observedSince: 0 }, desired, now);
    if (shrink.kind === 'retire') for (const gone of shrink.aids) ready.splice(ready.findIndex((one) => one.aid === gone), 1);
    steps.push({ at: now, inFlight, held, ready: ready.length, wanted: Math.max(1, Math.ceil(inFlight / (0.7 * scale.concurrency))) });
  }
  return steps;
}

const reportOf = (inFlight: number, held: number, aids: readonly string[]): Traffic => ({
  gateway: 'gw', at: 0, app: 'shop', inFlight, held, arrived: 1, lastActiveAt: 0,
  instances: aids.map((one) => ({ aid: one, inFlight: 0, finished: 10, failed: 0, p50Ms: 10, p95Ms: 20 })),
});

const model: Model = { scale: ScaleSpec.parse({ concurrency: 10, max: 50 }), serveMs: 300, cloneMs: 50 };
const seconds = (count: number, rate: number): number[] => Array.from({ length: count }, () => rate);
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

test('timeline: idle, busy, idle', (t) => {
  const steps = play([...seconds(10, 10), ...seconds(20, 200), ...seconds(40, 10)], model);
  const at = (second: number): Step => steps.find((step) => step.at >= second * 1000)!;
  t.is(at(9).ready, 1);
  t.true(at(12).held === 0 && at(12).ready >= 6, `two seconds into the burst nothing waits: ${at(12).ready} ready`);
  t.is(at(20).ready, at(29).ready, 'steady under a steady load');
  t.is(at(35).ready, at(29).ready, 'kept for the stabilisation time');
  t.is(at(60).ready, 1);
});

test('Twitter 2021: a load that triples in half a minute keeps nobody waiting for long and is not chased up and down', (t) => {
  const perSecond = readNumbers('twitter-2021-burst.txt');
  const steps = play(perSecond, model).filter((step) => step.at >= 5_000);
  const waiting = steps.filter((step) => step.held > 0).length / steps.length;
  const turns = steps.filter((step, i) => i > 1 && (step.ready - steps[i - 1]!.ready) * (steps[i - 1]!.ready - steps[i - 2]!.ready) < 0).length;
  const surplus = mean(steps.map((step) => step.ready)) / mean(steps.map((step) => step.wanted));
  const changes = steps.filter((step, i) => i > 0 && step.ready !== steps[i - 1]!.ready).length;
  t.log(`held ${(waiting * 100).toFixed(2)}% of the time; ${surplus.toFixed(2)} times what was wanted; ${changes} changes, ${turns} turns in ${perSecond.length} s`);
  t.true(waiting < 0.01);
  t.true(surplus < 1.4);
  t.true(changes < 80 && turns < 5);
});
