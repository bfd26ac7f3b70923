import test from 'ava';
import fc from 'fast-check';
import { addressRangeOf } from '../src/up/address-range.js';

test('a farm\'s addresses are private, aligned, its own again, and never those of engines without a farm', (t) => {
  fc.assert(fc.property(fc.string(), (dir) => {
    const [a, b, c, d] = addressRangeOf(dir).split(/[./]/).map(Number) as [number, number, number, number];
    return addressRangeOf(dir) === addressRangeOf(dir) && a === 10 && b >= 128 && b <= 207 && c % 16 === 0 && d === 0 && addressRangeOf(dir).endsWith('/20');
  }));
  t.pass();
});
