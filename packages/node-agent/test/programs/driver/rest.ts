import { setTimeout as pause } from 'node:timers/promises';
import { waitUntil } from '@appshot/runtime/testing';
import type { KeeperEngine } from '../../../src/engine/keeper-engine.js';

const windowMs = 200;
const restShare = 0.25;

/** Waits until the instance takes less than a quarter of a CPU: one that goes round a broken connection never does. */
export async function awaitRest(engine: KeeperEngine, aid: string): Promise<void> {
  const usedMs = async (): Promise<number> => {
    const row = (await engine.list()).running.find((each) => each.aid === aid);
    if (row === undefined) throw new Error(`${aid} has ended`);
    return row.cpuUs / 1000;
  };
  let share = 1;
  await waitUntil(async () => {
    const [before, begun] = [await usedMs(), performance.now()];
    await pause(windowMs);
    share = (await usedMs() - before) / (performance.now() - begun);
    return share < restShare;
  }, { everyMs: 1, what: 'a woken program to be at rest' })
    .catch((error: unknown) => { throw new Error(`it takes ${(share * 100).toFixed(0)} % of a CPU with nothing to do`, { cause: error }); });
}
