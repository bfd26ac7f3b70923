import test from 'ava';
import fc from 'fast-check';
import { ScaleSpec } from '@appshot/protocol';
import { decideIdle, idleLimit, limitCost, type IdleView } from '../../src/policy/decide-idle.js';
import { emptyIdleHistory, idleCeilingMs, idleFloorMs, recordIdle, type IdleHistory } from '../../src/policy/idle-history.js';

const now = 10_000_000;
const view = (part: Partial<IdleView> = {}): IdleView => ({
  scale: ScaleSpec.parse({}), ready: 1, starting: 0, inFlight: 0, idleSince: now - 1_000_000_000, memoryBytes: 64e6, wakeMs: 20, memoryShortage: 0,
  templateWanted: false, notBefore: 0, ...part,
});
const history = (...pauses: number[]): IdleHistory => pauses.reduce(recordIdle, emptyIdleHistory);
const repeat = (ms: number, count: number): number[] => Array.from({ length: count }, () => ms);

test('a number in the app file is the limit', (t) => {
  const scale = ScaleSpec.parse({ idleMs: 500 });
  t.like(decideIdle(view({ scale, idleSince: now - 499 }), emptyIdleHistory, now), { kind: 'stay', because: 'not-idle-long-enough' });
  t.like(decideIdle(view({ scale, idleSince: now - 500 }), emptyIdleHistory, now), { kind: 'sleep', because: 'idle-limit-of-the-app-file' });
});

test('what keeps a site awake is named', (t) => {
  const because = (part: Partial<IdleView>): string => decideIdle(view(part), emptyIdleHistory, now).because;
  t.is(because({ scale: ScaleSpec.parse({ idleMs: 'never' }) }), 'never');
  t.is(because({ scale: ScaleSpec.parse({ min: 1 }) }), 'min-instances');
  t.is(because({ inFlight: 1 }), 'in-use');
  t.is(because({ ready: 0 }), 'nothing-awake');
  t.is(because({ ready: 2 }), 'clones-go-first');
  t.is(because({ starting: 1 }), 'starting');
  t.is(because({ templateWanted: true }), 'template-first');
  t.is(because({ notBefore: now + 1 }), 'failed-lately');
  t.is(because({}), 'break-even');
});

test('the documented break-even times', (t) => {
  t.is(Math.round(idleLimit(view(), emptyIdleHistory).limitMs / 1000), 63);
  t.is(Math.round(idleLimit(view({ memoryBytes: 512e6, wakeMs: 60 }), emptyIdleHistory).limitMs / 1000), 23);
});

test('a site visited every ten seconds stays awake between; one visited every hour sleeps at once', (t) => {
  const busy = idleLimit(view(), history(...repeat(10_000, 30)));
  t.true(busy.limitMs > 10_000 && busy.limitMs < 20_000, `${busy.limitMs}`);
  t.is(idleLimit(view(), history(...repeat(3_600_000, 30))).limitMs, idleFloorMs);
});

test('bursts every few seconds with long pauses between: awake through the burst, asleep soon after', (t) => {
  const pauses = Array.from({ length: 20 }, () => [...repeat(4_000, 10), 1_800_000]).flat();
  const { limitMs, because } = idleLimit(view(), history(...pauses));
  t.is(because, 'learned-from-pauses');
  t.true(limitMs >= 4_000 && limitMs < 10_000, `${limitMs}`);
});

test('a habit that changes is learnt anew', (t) => {
  const changed = history(...repeat(10_000, 200), ...repeat(3_600_000, 150));
  t.is(idleLimit(view(), changed).limitMs, idleFloorMs);
});

const anyPauses = fc.array(fc.double({ min: 1, max: 2e8, noNaN: true }), { maxLength: 200 });

test('whatever the history, auto stays between its floor and its ceiling', (t) => {
  fc.assert(fc.property(anyPauses, fc.double({ min: 1, max: 1e11, noNaN: true }), fc.double({ min: 0, max: 60_000, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }),
    (pauses, memoryBytes, wakeMs, memoryShortage) => {
      const { limitMs } = idleLimit(view({ memoryBytes, wakeMs, memoryShortage }), history(...pauses));
      t.true(limitMs >= idleFloorMs && limitMs <= idleCeilingMs);
    }));
});

test('with dearer memory nobody stays awake longer', (t) => {
  fc.assert(fc.property(anyPauses, fc.double({ min: 1e6, max: 1e10, noNaN: true }), fc.double({ min: 1, max: 50, noNaN: true }), (pauses, memoryBytes, times) => {
    const seen = history(...pauses);
    t.true(idleLimit(view({ memoryBytes: memoryBytes * times }), seen).limitMs <= idleLimit(view({ memoryBytes }), seen).limitMs + 1e-6);
  }));
});

test('pauses alike: never more than √2 times what the cheapest fixed limit would have cost, plus the floor', (t) => {
  fc.assert(fc.property(fc.double({ min: 3_000, max: 3e6, noNaN: true }), (pause) => {
    const seen = history(...repeat(pause, 40));
    const breakEvenMs = 62_500;
    const best = Math.min(...[idleFloorMs, pause, idleCeilingMs].map((limit) => limitCost(seen, limit, breakEvenMs)));
    t.true(limitCost(seen, idleLimit(view(), seen).limitMs, breakEvenMs) <= best * Math.SQRT2 + 1e-6);
  }));
});
