import test from 'ava';
import { ScaleSpec } from '@appshot/protocol';
import { idleLimit, idleTuning } from '../../src/policy/decide-idle.js';
import { emptyIdleHistory, recordIdle, type IdleHistory } from '../../src/policy/idle-history.js';
import { readNumbers } from '../fixtures/read-fixture.js';

const view = { scale: ScaleSpec.parse({}), memoryBytes: 64e6, wakeMs: 20, memoryShortage: 0 };
const breakEvenMs = view.wakeMs * idleTuning.mbSecondsPerWakeMs / 64 * 1000;
const arrivals = readNumbers('nasa-1995-thinned-day.txt').map((second) => second * 1000);
const pausesOf = (times: readonly number[]): number[] => times.slice(1).map((at, index) => at - times[index]!).filter((pause) => pause > 0);
const pauses = pausesOf(arrivals);

/** What the day cost: time awake while idle, and each wake as much as `breakEvenMs` of it. */
function cost(limitOf: (history: IdleHistory) => number, of = pauses): { awakeMs: number; wakes: number; total: number } {
  let history = emptyIdleHistory;
  let awakeMs = 0;
  let wakes = 0;
  for (const pause of of) {
    const limit = limitOf(history);
    awakeMs += Math.min(pause, limit);
    if (pause > limit) wakes += 1;
    history = recordIdle(history, pause);
  }
  return { awakeMs, wakes, total: awakeMs + wakes * breakEvenMs };
}

const learned = cost((history) => idleLimit(view, history).limitMs);

test('NASA 1995, a quiet site: learning costs little more than the best fixed limit chosen afterwards', (t) => {
  const fixed = [2_000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000, 900_000].map((limit) => ({ limit, ...cost(() => limit) }));
  const best = fixed.reduce((a, b) => (a.total <= b.total ? a : b));
  t.log(`learned: ${learned.wakes} wakes, awake ${Math.round(learned.awakeMs / 36e5)} h; best fixed (${best.limit} ms): ${best.wakes} wakes, ${Math.round(best.awakeMs / 36e5)} h`);
  t.true(learned.total <= 1.1 * best.total, `${learned.total} against ${best.total}`);
});

test('NASA 1995: never worse than twice what somebody who knew each pause would have paid', (t) => {
  const clairvoyant = pauses.reduce((sum, pause) => sum + Math.min(pause, breakEvenMs), 0);
  t.true(learned.total <= 2 * clairvoyant, `${learned.total} against ${clairvoyant}`);
});

test('NASA 1995, a twentieth of those visitors: the ten minutes that are usual elsewhere cost a multiple', (t) => {
  const quiet = pausesOf(arrivals.filter((_, index) => index % 20 === 0));
  const limit = (history: IdleHistory): number => idleLimit(view, history).limitMs;
  t.true(cost(() => 600_000, quiet).total > 3 * cost(limit, quiet).total);
});
