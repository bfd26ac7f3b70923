import test from 'ava';
import fc from 'fast-check';
import { TimeHistogram } from '../src/traffic/time-histogram.js';

test('quantiles are right to 4.5 percent, whatever the times', (t) => {
  const times = fc.array(fc.double({ min: 0.05, max: 600_000, noNaN: true }), { minLength: 1, maxLength: 300 });
  fc.assert(fc.property(times, fc.constantFrom(0.5, 0.95, 0.99, 1), (all, q) => {
    const histogram = new TimeHistogram();
    for (const ms of all) histogram.add(ms);
    const exact = [...all].sort((a, b) => a - b)[Math.max(1, Math.ceil(q * all.length)) - 1]!;
    const ratio = histogram.quantile(q)! / exact;
    return ratio > 1 / 1.046 && ratio < 1.046;
  }));
  t.pass();
});

test('without a time there is no quantile, and a reset forgets', (t) => {
  const histogram = new TimeHistogram();
  t.is(histogram.quantile(0.5), null);
  histogram.add(0);
  histogram.add(1e12);
  t.is(histogram.count, 2);
  histogram.reset();
  t.is(histogram.quantile(0.5), null);
});
