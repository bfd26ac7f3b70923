import { isIPv4 } from 'node:net';
import test from 'ava';
import fc from 'fast-check';
import { addressesAfter, addressRange } from '../src/cidr.js';

test('network and broadcast addresses are left out where a range has them', (t) => {
  t.deepEqual([...addressesAfter(addressRange('10.0.0.0/29'), undefined)], ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5', '10.0.0.6']);
  t.deepEqual([...addressesAfter(addressRange('192.168.7.9/31'), undefined)], ['192.168.7.8', '192.168.7.9']);
  t.deepEqual([...addressesAfter(addressRange('255.255.255.255/32'), undefined)], ['255.255.255.255']);
});

test('the walk begins after the given address and goes around', (t) => {
  t.deepEqual([...addressesAfter(addressRange('10.0.0.0/29'), '10.0.0.4')], ['10.0.0.5', '10.0.0.6', '10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4']);
  t.is([...addressesAfter(addressRange('10.0.0.0/29'), '10.0.0.6')][0], '10.0.0.1');
  t.is([...addressesAfter(addressRange('10.0.0.0/29'), '172.16.0.1')][0], '10.0.0.1', 'a cursor of another pool means the beginning');
});

test('every range is walked completely, once, from every start', (t) => {
  const address = fc.ipV4();
  fc.assert(fc.property(address, fc.integer({ min: 22, max: 32 }), fc.option(address, { nil: undefined }), (base, prefix, after) => {
    const range = addressRange(`${base}/${prefix}`);
    const walked = [...addressesAfter(range, after)];
    t.is(new Set(walked).size, range.last - range.first + 1);
    t.is(walked.length, range.last - range.first + 1);
    t.true(walked.every((ip) => isIPv4(ip)));
  }), { numRuns: 200 });
});

test('what is no range is refused', (t) => {
  for (const cidr of ['', '10.0.0.0', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0/24', 'fe80::/64', '10.0.0.0/24/1', '10.0.0.0/']) {
    t.throws(() => addressRange(cidr), { message: /is not an IPv4 range/ }, cidr);
  }
});
