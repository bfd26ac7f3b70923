import test from 'ava';
import { hostName } from '../src/routes/host-name.js';
import { RouteTable } from '../src/routes/route-table.js';

test('an exact name goes before a wildcard, and a wildcard has exactly one label', (t) => {
  const table = new RouteTable<string>();
  table.set('wild', ['*.example.org'], 'W');
  table.set('exact', ['a.example.org', 'example.org'], 'E');
  t.is(table.find('a.example.org'), 'E');
  t.is(table.find('b.example.org'), 'W');
  t.is(table.find('example.org'), 'E');
  t.is(table.find('x.b.example.org'), undefined);
  t.is(table.find('.example.org'), undefined);
  t.is(table.find(''), undefined);
});

test('a name that moves from app to app is found whichever change comes first', (t) => {
  for (const order of [['a', 'b'], ['b', 'a']]) {
    const table = new RouteTable<string>();
    table.set('a', ['x.test', '*.y.test'], 'A');
    const changes: Record<string, () => void> = { a: () => table.set('a', ['other.test'], 'A'), b: () => table.set('b', ['x.test', '*.y.test'], 'B') };
    for (const app of order) changes[app]!();
    t.is(table.find('x.test'), 'B');
    t.is(table.find('1.y.test'), 'B');
    t.is(table.find('other.test'), 'A');
  }
});

test('a removed app is found no more', (t) => {
  const table = new RouteTable<string>();
  table.set('a', ['x.test', '*.x.test'], 'A');
  t.is(table.remove('a'), 'A');
  t.is(table.find('x.test'), undefined);
  t.is(table.find('1.x.test'), undefined);
  t.is(table.remove('a'), undefined);
  t.deepEqual([...table.values()], []);
});

test('a host name is found in whatever form a Host field has it', (t) => {
  for (const field of ['shop.test', 'SHOP.test', 'shop.test:8080', 'shop.test.', 'Shop.Test.:80']) t.is(hostName(field), 'shop.test', field);
  t.is(hostName('[::1]:8080'), '[::1]');
  t.is(hostName('[::1]'), '[::1]');
  t.is(hostName(''), '');
  t.is(hostName('.'), '.');
});
