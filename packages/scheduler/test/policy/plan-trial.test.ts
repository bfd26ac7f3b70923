import fc from 'fast-check';
import test from 'ava';
import { planTrial } from '../../src/policy/plan-trial.js';

test('a version on trial has instances for its share, and one at least', (t) => {
  t.deepEqual(planTrial({ percent: 20, current: 8, trial: 0, max: 20 }), { kind: 'grow', count: 2, desired: 2 });
  t.deepEqual(planTrial({ percent: 1, current: 1, trial: 1, max: 20 }), { kind: 'hold', desired: 1 });
  t.deepEqual(planTrial({ percent: 10, current: 9, trial: 4, max: 20 }), { kind: 'shrink', count: 3, desired: 1 });
  t.deepEqual(planTrial({ percent: 50, current: 0, trial: 0, max: 20 }), { kind: 'grow', count: 1, desired: 1 });
  t.deepEqual(planTrial({ percent: 99, current: 3, trial: 1, max: 20 }), { kind: 'grow', count: 19, desired: 20 });
});

test('doing what the plan says leaves nothing to do, and never asks for more than there may be', (t) => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 99 }), fc.nat(50), fc.nat(50), fc.integer({ min: 1, max: 50 }), (percent, current, trial, max) => {
    const plan = planTrial({ percent, current, trial, max });
    const after = plan.kind === 'hold' ? trial : trial + (plan.kind === 'grow' ? plan.count : -plan.count);
    return after === plan.desired && after >= 1 && after <= max && planTrial({ percent, current, trial: after, max }).kind === 'hold';
  }));
  t.pass();
});
