import { waitUntil } from '@appshot/runtime/testing';
import test, { type ExecutionContext } from 'ava';
import type { Running } from '../../src/engine/engine.js';
import { ask, cloneFarm } from './clone-farm.js';

/** Seconds that each timer of a program has left. */
type Left = Readonly<Record<string, number>>;

/** What is left of the parent's timers before and after its template was taken; then the parent runs on for a while. */
async function takeTemplate(t: ExecutionContext, command: readonly string[]) {
  const { engine, launch } = await cloneFarm(t);
  const parent = await launch('parent', command);
  const before = await ask<Left>(parent);
  await engine.snapshot('parent', { keepRunning: true, image: 'template', template: true });
  const after = await ask<Left>(parent);
  const runOn = (seconds: number) => waitUntil(async () => lowest(await ask<Left>(parent)) < lowest(after) - seconds, { what: 'time to pass' });
  await runOn(1);
  const clone = async (aid: string): Promise<void> => {
    const from = performance.now();
    const [made] = await engine.clone('template', [aid]) as [Running];
    const left = await ask<Left>(made);
    // Its timers run since it was wanted, at the earliest. (Clocks are told from each other by milliseconds.)
    const ranFor = (performance.now() - from) / 1_000 + 0.05;
    for (const [name, seconds] of Object.entries(left)) {
      t.true(seconds <= before[name]! + 0.05 && seconds >= after[name]! - ranFor, `${name} of ${aid}: ${seconds} s left after ${ranFor} s, of ${before[name]} to ${after[name]}`);
    }
  };
  return { runOn, clone };
}

const lowest = (left: Left): number => Math.min(...Object.values(left));

test('timers of the kernel have left in a clone what they had in its template, also in one that was made in advance', async (t) => {
  const { runOn, clone } = await takeTemplate(t, ['/usr/bin/python3', 'timers.py']);
  await clone('fresh');
  await runOn(2);
  await clone('made-in-advance');
});

test('a timer of Node.js has left in a clone what it had in its template', async (t) => {
  const { clone } = await takeTemplate(t, ['node', 'timers.mjs']);
  await clone('fresh');
});
