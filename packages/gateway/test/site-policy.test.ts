import type { InstanceState } from '@appshot/protocol';
import test from 'ava';
import fc from 'fast-check';
import { chooseLane, type LaneLoad } from '../src/site/choose-lane.js';
import { HoldQueue } from '../src/site/hold-queue.js';
import { Site } from '../src/site/site.js';
import { supersedes } from '../src/site/supersedes.js';

const lanes = fc.array(fc.record({ inFlight: fc.nat(6), restsUntil: fc.constantFrom(0, 0, 0, 150) }), { maxLength: 8 });

test('the instance with the fewest requests is chosen, never one that is full or rests', (t) => {
  fc.assert(fc.property(lanes, fc.integer({ min: 1, max: 5 }), fc.nat(100), (ready, limit, turn) => {
    const free = ready.filter((lane) => lane.inFlight < limit && lane.restsUntil <= 100);
    const chosen = chooseLane(ready, limit, { turn, now: 100 });
    if (free.length === 0) return chosen === undefined;
    return chosen !== undefined && free.includes(chosen) && chosen.inFlight === Math.min(...free.map((lane) => lane.inFlight));
  }));
  t.pass();
});

test('equals are taken in turn', (t) => {
  const ready: LaneLoad[] = [{ inFlight: 1, restsUntil: 0 }, { inFlight: 1, restsUntil: 0 }, { inFlight: 1, restsUntil: 0 }];
  const chosen = [0, 1, 2, 3].map((turn) => ready.indexOf(chooseLane(ready, 5, { turn, now: 0 })!));
  t.deepEqual(chosen, [0, 1, 2, 0]);
});

test('an instance that has rested may be chosen again', (t) => {
  const lane = { inFlight: 0, restsUntil: 50 };
  t.is(chooseLane([lane], 1, { turn: 0, now: 49 }), undefined);
  t.is(chooseLane([lane], 1, { turn: 0, now: 50 }), lane);
});

test('only a higher epoch changes what is known, and at the same one only a drain and an agent\'s word that the restore is done', (t) => {
  t.true(supersedes({ state: 'ready', epoch: 3 }, { state: 'draining', epoch: 2 }));
  t.false(supersedes({ state: 'ready', epoch: 2 }, { state: 'draining', epoch: 2 }));
  t.true(supersedes({ state: 'draining', epoch: 2 }, { state: 'ready', epoch: 2 }));
  t.false(supersedes({ state: 'draining', epoch: 2 }, { state: 'ready', epoch: 3 }));
  t.false(supersedes({ state: 'draining', epoch: 2 }, { state: 'snapshotting', epoch: 2 }));
  t.true(supersedes({ state: 'ready', epoch: 2 }, { state: 'restoring', epoch: 2 }));
  t.true(supersedes({ state: 'ready', epoch: 2 }, { state: 'unparking', epoch: 2 }));
  t.false(supersedes({ state: 'restoring', epoch: 2 }, { state: 'ready', epoch: 2 }));
  t.true(supersedes({ state: 'stopping', epoch: 3 }, { state: 'ready', epoch: 2 }));
});

test('who sleeps is only named when a wake can mean nobody else', (t) => {
  const site = new Site('shop', { limits: { connections: 1, idleMs: 1 } as never, unconfirmedForMs: 1_000, onChange: () => undefined });
  const sleeperOf = (...states: InstanceState[]): string | undefined => {
    const instances = states.map((state, index) => ({ aid: `aid-${index}`, state, epoch: (epoch += 1), version: 1 }));
    site.apply({ app: 'shop', hosts: [], exposed: [], concurrency: 1, holdMs: 1, instances, trial: null }, 0);
    return site.sleeper?.aid;
  };
  let epoch = 0;
  t.is(sleeperOf(), undefined);
  t.is(sleeperOf('asleep'), 'aid-0');
  t.is(sleeperOf('asleep', 'asleep'), undefined);
  t.is(sleeperOf('asleep', 'ready'), undefined);
  t.is(sleeperOf('restoring'), undefined);
});

type Step = { do: 'push' | 'giveBack' | 'shift' } | { do: 'delete'; at: number };

test('a hold queue is first come first served, those given back before all, and anybody may leave', (t) => {
  const step = fc.oneof(
    fc.constantFrom<Step>({ do: 'push' }, { do: 'giveBack' }, { do: 'shift' }),
    fc.nat(10).map((at): Step => ({ do: 'delete', at })),
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const queue = new HoldQueue<number>();
    const model: { returned: number[]; waiting: number[] } = { returned: [], waiting: [] };
    steps.forEach((each, item) => {
      if (each.do === 'push') { queue.push(item); model.waiting.push(item); }
      if (each.do === 'giveBack') { queue.giveBack(item); model.returned.push(item); }
      if (each.do === 'shift') t.is(queue.shift(), model.returned.length > 0 ? model.returned.shift() : model.waiting.shift());
      if (each.do === 'delete') {
        const known = model.returned.includes(each.at) || model.waiting.includes(each.at);
        t.is(queue.delete(each.at), known);
        model.returned = model.returned.filter((other) => other !== each.at);
        model.waiting = model.waiting.filter((other) => other !== each.at);
      }
      t.is(queue.size, model.returned.length + model.waiting.length);
      t.deepEqual([...queue], [...model.returned, ...model.waiting]);
    });
  }));
});
