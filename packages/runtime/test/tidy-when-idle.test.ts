import { getHeapSpaceStatistics } from 'node:v8';
import test from 'ava';
import { tidyWhenIdle } from '../src/tidy-when-idle.js';
import { waitUntil } from '../src/wait-until.js';
import { patienceMs } from '../src/testing/patience.js';

/** Bytes that V8 holds for what has lived for a while. */
const held = (): number => getHeapSpaceStatistics().find(({ space_name: name }) => name === 'old_space')?.space_size ?? 0;

/** Objects that live long enough to be old, of which one in twenty stays: hardly a page of them is free. */
function gatherWithGaps(count: number): object[] {
  const all = Array.from({ length: count }, (_, index) => ({ index, text: `object ${index}`, list: [index] }));
  return all.filter((_, index) => index % 20 === 0);
}

test('an idle role gives back what it no longer needs, also from between what it keeps', async (t) => {
  const kept = gatherWithGaps(300_000);
  const grown = held();
  const stop = tidyWhenIdle({ everyMs: 100, idleShare: 0.5 });
  t.teardown(stop);
  await waitUntil(() => held() < grown / 2, { withinMs: patienceMs, everyMs: 50, what: 'memory to be given back' });
  t.is(kept.length, 15_000);
});
