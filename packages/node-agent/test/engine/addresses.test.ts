import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { waitUntil } from '@appshot/runtime/testing';
import test from 'ava';
import { openEngine } from '../../src/engine/open-engine.js';
import { testEngine } from './support/test-engine.js';

const run = promisify(execFile);

/** Addresses of 10.213, which no farm chooses, to which a route says unreachable, and the metric of it. */
async function unreachable(net: string): Promise<Map<string, number>> {
  const { stdout } = await run('ip', ['-j', 'route', 'show', 'type', 'unreachable', 'root', `${net}.0/24`]);
  const routes = JSON.parse(stdout === '' ? '[]' : stdout) as { dst: string; metric: number }[];
  return new Map(routes.filter(({ dst }) => dst.startsWith(`${net}.`)).map(({ dst, metric }) => [dst, metric]));
}

test('an address that a killed keeper had reserved is given back by the next one', async (t) => {
  const net = `10.213.${process.pid & 255}`;
  const { dir, engine } = await testEngine(t);
  await engine.configure({ addresses: [`${net}.1`, `${net}.2`], podsReady: 1 });
  const metric = (await unreachable(net)).get(`${net}.1`);
  t.not(metric, undefined);
  await engine.close();
  // By its metric: another engine on this machine may have drawn the same addresses.
  const own = async (): Promise<string[]> => [...await unreachable(net)].flatMap(([address, its]) => (its === metric ? [address] : []));
  await waitUntil(async () => (await own()).length === 0, { what: 'the keeper to end' });
  // As one leaves them that is killed between reserving them and saying so.
  await run('ip', ['route', 'add', 'unreachable', `${net}.9`, 'proto', 'static', 'metric', String(metric)]);
  const next = await openEngine({ dir });
  t.teardown(() => next.close());
  await next.configure({ addresses: [`${net}.2`], podsReady: 1 });
  t.deepEqual(await own(), [`${net}.2`]);
});
