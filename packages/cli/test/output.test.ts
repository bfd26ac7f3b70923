import test from 'ava';
import { formatAge, formatBytes, formatMs, formatPhases } from '../src/output/format.js';
import { formatTable } from '../src/output/format-table.js';
import { formatTree } from '../src/output/format-tree.js';

test('sizes, times and phases are short', (t) => {
  t.deepEqual([0, 999, 1_500, 12_345_678].map(formatBytes), ['0 B', '999 B', '1.50 kB', '12.3 MB']);
  t.deepEqual([0.5, 2.345, 123.4, 4_200].map(formatMs), ['0.500 ms', '2.35 ms', '123 ms', '4.2 s']);
  t.deepEqual([-1, 59_000, 3_600_000, 200_000_000].map(formatAge), ['0s', '59s', '1h', '2d']);
  t.is(formatPhases({ fill: 2, resume: 0.25 }), 'fill 2.00 ms, resume 0.250 ms');
});

test('a table has its numbers to the right and no blanks at the ends of lines', (t) => {
  const text = formatTable([{ name: 'a', n: 5 }, { name: 'longer', n: 100 }], [{ title: 'name', cell: (row) => row.name }, { title: 'n', cell: (row) => String(row.n), right: true }]);
  t.is(text, 'NAME      N\na         5\nlonger  100');
});

test('any JSON can be read by people', (t) => {
  t.is(formatTree({ aid: 'a1', pids: [1, 2], processes: [{ vpid: 1, comm: 'node' }], none: null }), 'aid: a1\npids: 1, 2\nprocesses:\n  VPID  COMM\n  1     node\nnone: -');
});
