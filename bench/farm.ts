import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as pause } from 'node:timers/promises';
import { Farm } from '../test/support/farm.js';
import { coldStart, heaps, type Heap } from './support/counter-site.js';
import { timedRequest } from './support/timed-request.js';
import { Measurements, type Row } from './support/rows.js';
import { WarmClient } from './support/warm-client.js';
import { writeAppFile } from './support/write-app-file.js';

const rounds = 30;
/** What the site's owner does not see: after it has gone to sleep, the node gets ready for its next visitor. */
const settleMs = 300;
const example = fileURLToPath(new URL('../examples/node-counter', import.meta.url));

/** A visitor of a sleeping site, through the gateway of a whole farm, beside the site's own cold start. */
export async function wake(): Promise<Row[]> {
  const farm = new Farm();
  const client = new WarmClient();
  const measurements = new Measurements();
  try {
    await client.start();
    await farm.up();
    for (const heap of heaps) await measureHeap({ farm, client, heap }, measurements);
  } finally {
    await farm.destroy();
    await client.close();
  }
  return measurements.rows();
}

async function measureHeap({ farm, client, heap }: { farm: Farm; client: WarmClient; heap: Heap }, measurements: Measurements): Promise<void> {
  const name = `counter-${heap.ballastMb}`;
  const file = await writeAppFile(path.join(farm.dir, `${name}.yaml`), { name, cwd: example, ballastMb: heap.ballastMb });
  await farm.appshot('deploy', file);
  const site = { port: farm.http, host: `${name}.localhost` };
  const note = (metric: string, value: number): void => measurements.add({ case: `wake, ${heap.name}`, metric, unit: 'ms' }, value);
  await timedRequest(site);
  await pause(settleMs * 4);
  for (let round = 0; round < rounds; round += 1) {
    note('cold start, spawn to first 200', await coldStart(heap));
    await farm.appshot('sleep', name);
    await pause(settleMs);
    await client.warm();
    const { tookMs, serverTiming } = await timedRequest(site);
    note('sleeping, request to first byte', tookMs);
    for (const [phase, took] of serverTiming) note(`  ${phase}`, took);
    note('awake, request to first byte', (await timedRequest(site)).tookMs);
  }
}
