import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { addressRangeOf, chooseAddressRange, routedAddresses } from '../src/up/address-range.js';

const numberOf = (range: string): number => range.split(/[./]/).slice(0, 4).reduce((sum, part) => sum * 256 + Number(part), 0);

test('a farm\'s addresses are private, aligned, not used by others, and never those of engines without a farm', (t) => {
  fc.assert(fc.property(fc.string(), fc.nat(20), (dir, others) => {
    const used: number[] = [];
    for (let i = 0; i <= others; i += 1) {
      const range = chooseAddressRange(dir, used);
      const [a, b, c, d] = range.split(/[./]/).map(Number) as [number, number, number, number];
      if (!(a === 10 && b >= 128 && b <= 207 && c % 16 === 0 && d === 0 && range.endsWith('/20'))) return false;
      if (used.some((address) => address >>> 12 === numberOf(range) >>> 12)) return false;
      // Somebody has an address somewhere in it.
      used.push(numberOf(range) + (i * 211) % 4096);
    }
    return true;
  }));
  const everything = Array.from({ length: 1280 }, (_, block) => 0x0a80_0000 + (block << 12));
  t.regex(chooseAddressRange('x', everything), /^10\.\d+\.\d+\.0\/20$/);
});

test('the routes of a machine are read, without the default one', (t) => {
  const table = 'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n'
    + 'eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n*\t0210830A\t00000000\t0205\t0\t0\t1\tFFFFFFFF\t0\t0\t0\n';
  t.deepEqual(routedAddresses(table), [0x0a83_1002]);
});

test('a farm keeps its addresses', (t) => {
  const root = mkdtempSync(path.join(tmpdir(), 'appshot-range-'));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  const first = addressRangeOf(root);
  t.regex(first, /^10\.\d+\.\d+\.0\/20$/);
  t.is(addressRangeOf(root), first);
});
