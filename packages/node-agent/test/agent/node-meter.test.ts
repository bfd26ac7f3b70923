import test from 'ava';
import { NodeMeter, parseCpuTimes, parseMemory, parsePressure } from '../../src/agent/node-meter.js';

test('CPU time is busy or idle; waiting for a disk is idle', (t) => {
  t.deepEqual(parseCpuTimes('cpu  10 1 20 300 40 5 6 7 0 0\ncpu0 1 1\n'), { busy: 49, total: 389 });
});

test('memory is read in bytes', (t) => {
  t.deepEqual(parseMemory('MemTotal:       1000 kB\nMemFree: 3 kB\nMemAvailable:    500 kB\n'), { totalBytes: 1_024_000, availableBytes: 512_000 });
});

test('pressure is the share of the last ten seconds', (t) => {
  t.is(parsePressure('some avg10=12.50 avg60=1.00 avg300=0.10 total=1\nfull avg10=0.00'), 12.5);
});

test('this machine can be measured', async (t) => {
  const meter = new NodeMeter();
  await meter.read();
  const use = await meter.read();
  t.true(use.memoryTotalBytes > use.memoryAvailableBytes && use.memoryAvailableBytes > 0);
  t.true(use.cpuUsed >= 0 && use.cpuUsed <= use.cpus);
});
