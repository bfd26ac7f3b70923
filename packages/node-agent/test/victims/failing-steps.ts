import type { KeeperEngine } from '../../src/engine/keeper-engine.js';
import type { Failpoints } from '../engine/support/failpoints.js';
import { expectOk, type VictimFarm } from './victim-farm.js';

/** By then others run already, and there is nothing more that could fail: registers are loaded. */
const cannotFail = 'tape: leave';

/** Steps that have been made to fail, each once for all programs together. */
export class WalkedSteps {
  readonly #walked = new Set([cannotFail]);
  /** Of them, how many made what they belong to fail: what may fail is passed over. */
  failed = 0;

  get size(): number {
    return this.#walked.size;
  }

  has(step: string): boolean {
    return this.#walked.has(step);
  }

  /** The next that was reached and has not failed yet; counts as walked from then on. */
  async next(failpoints: Failpoints, which: RegExp): Promise<string | undefined> {
    const step = (await failpoints.reached()).find((one) => which.test(one) && !this.#walked.has(one));
    if (step !== undefined) this.#walked.add(step);
    return step;
  }

  /** Waits for what may fail now. @returns undefined when it did */
  async failing<T>(failpoints: Failpoints, work: Promise<T>): Promise<T | undefined> {
    const done = await work.catch(() => undefined);
    await failpoints.disarm();
    if (done === undefined) this.failed += 1;
    return done;
  }
}

interface Walk { readonly farm: VictimFarm; readonly failpoints: Failpoints; readonly steps: WalkedSteps }

/**
 * Wakes `name` once for each step of its wakes that has not failed yet, fails it there, and wakes it again: it has to be what it was.
 * @returns what went wrong
 */
export function failWakes({ farm, failpoints, steps }: Walk, name: string): Promise<string> {
  return farm.with(name, async (engine, running) => {
    await expectOk('launched', running);
    // What is only done for a program that has woken before: the second time.
    for (let round = 0; round < 2; round += 1) await sleepAndWake(engine, name);
    for (let step = await steps.next(failpoints, wakes); step !== undefined; step = await steps.next(failpoints, wakes)) {
      // Before it sleeps: how it is woken is worked out ahead.
      await failpoints.arm(step, 'error');
      await engine.snapshot(name, { keepRunning: false });
      const awake = await steps.failing(failpoints, engine.restore(name)) ?? await engine.restore(name);
      await expectOk(`${step} had failed`, awake);
    }
  });
}

const wakes = /^(restore|tape): /;

async function sleepAndWake(engine: KeeperEngine, name: string): Promise<void> {
  await engine.snapshot(name, { keepRunning: false });
  await expectOk('woken', await engine.restore(name));
}

/** The same with clones of a template of `name`, for the steps that only a zygote and its clones take. */
export function failClones({ farm, failpoints, steps }: Walk, name: string): Promise<string> {
  return farm.with(name, async (engine, running) => {
    await expectOk('launched', running);
    const [template, clone] = [`${name}-template`, `${name}-1`];
    await engine.snapshot(name, { keepRunning: true, image: template });
    const makeClone = async () => {
      const [made] = await engine.clone(template, [clone]);
      return made!;
    };
    // What a zygote was told to do it does for every clone: each step fails in one of its own.
    const letGo = () => engine.warm(template, false);
    await makeClone();
    for (let step = await steps.next(failpoints, clones); step !== undefined; step = await steps.next(failpoints, clones)) {
      await engine.stop(clone).catch(() => undefined);
      await letGo();
      await failpoints.arm(step, 'error');
      const made = await steps.failing(failpoints, makeClone());
      if (made === undefined) await letGo();
      await expectOk(`${step} had failed`, made ?? await makeClone());
    }
  });
}

const clones = /^tape: |: stand$/;
