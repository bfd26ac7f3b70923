import test from 'ava';
import fc from 'fast-check';
import { ScaleSpec } from '@appshot/protocol';
import { decideShrink, rememberDesired, shrinkTuning, type Desired } from '../../src/policy/decide-shrink.js';

const aid = (n: number): string => `a${n.toString(16).padStart(13, '0')}`;
const ready = (...inFlight: number[]): { aid: string; inFlight: number }[] => inFlight.map((count, i) => ({ aid: aid(i + 1), inFlight: count }));
const now = 1_000_000;
const site = (inFlight: number[], part: Partial<ScaleSpec> = {}) =>
  ({ scale: ScaleSpec.parse(part), ready: ready(...inFlight), starting: 0, held: 0, observedSince: 0 });
const calm: Desired[] = [{ at: now, desired: 1 }];

test('the least busy clone goes first, of those the youngest, and the oldest instance never', (t) => {
  t.like(decideShrink(site([0, 3, 0, 0]), calm, now), { kind: 'retire', aids: [aid(4), aid(3)] });
  t.like(decideShrink(site([0, 3]), calm, now), { kind: 'retire', aids: [aid(2)] });
  t.like(decideShrink(site([0]), calm, now), { kind: 'hold', because: 'needed' });
});

test('not more than half goes at once', (t) => {
  const decision = decideShrink(site([0, 0, 0, 0, 0, 0, 0, 0]), calm, now);
  t.is(decision.kind === 'retire' && decision.aids.length, 4);
});

test('the highest wish of the stabilisation time counts', (t) => {
  const history = [{ at: now - 9_000, desired: 4 }, { at: now, desired: 1 }];
  t.like(decideShrink(site([0, 0, 0, 0]), history, now), { kind: 'hold', because: 'needed' });
  t.like(decideShrink(site([0, 0, 0, 0]), history, now + 1_500), { kind: 'retire' });
});

test('a scheduler that has just started takes nothing away', (t) => {
  t.like(decideShrink({ ...site([0, 0]), observedSince: now - 1_000 }, calm, now), { kind: 'hold', because: 'stabilizing' });
});

test('nothing goes while requests are held or instances are coming', (t) => {
  t.like(decideShrink({ ...site([0, 0]), held: 1 }, calm, now), { kind: 'hold', because: 'requests-held' });
  t.like(decideShrink({ ...site([0, 0]), starting: 1 }, calm, now), { kind: 'hold', because: 'growing' });
});

test('over random histories: never below min, one or any wish of the last seconds; never the oldest; nobody twice', (t) => {
  const wishes = fc.array(fc.record({ after: fc.nat(3_000), desired: fc.nat(12) }), { maxLength: 30 });
  fc.assert(fc.property(fc.array(fc.nat(5), { maxLength: 20 }), fc.nat(6), wishes, (inFlight, min, steps) => {
    let at = now;
    let history: Desired[] = [];
    for (const step of steps) history = rememberDesired(history, { at: at += step.after, desired: step.desired });
    t.true(history.every((entry) => at - entry.at < shrinkTuning.stabilizeMs));
    const decision = decideShrink(site(inFlight, { min }), history, at);
    if (decision.kind !== 'retire') return;
    const left = inFlight.length - decision.aids.length;
    t.true(left >= Math.max(1, min, ...history.map((entry) => entry.desired)));
    t.false(decision.aids.includes(aid(1)));
    t.is(new Set(decision.aids).size, decision.aids.length);
  }));
});
