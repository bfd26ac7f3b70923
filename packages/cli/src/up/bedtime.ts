import { setTimeout as pause } from 'node:timers/promises';
import { FarmError } from '@appshot/runtime';
import type { ApiClient } from '../api/api-client.js';
import { Instances, Outcomes, type InstanceListing } from '../api/api-schemas.js';

const atRest: ReadonlySet<string> = new Set(['asleep', 'failed', 'gone']);
/** What is in another state is on its way to one in which it can be put to sleep, or to its end; waited for no longer. */
const settleWithinMs = 60_000;
/** What is being stopped for good is waited for no longer: the next farm goes on stopping it. */
const stoppingWithinMs = 10_000;
/** How long saving one instance is tried. */
const tryForMs = 15_000;
const retryMs = 100;
/** For a scheduler that has just died: it is started again. */
const schedulerBackWithinMs = 30_000;

/** Ends a farm's activity: every instance to sleep, whatever it was doing. */
export class Bedtime {
  readonly #api: ApiClient;
  readonly #say: (line: string) => void;
  readonly #failingSince = new Map<string, number>();
  readonly #told = new Set<string>();

  constructor(api: ApiClient, say: (line: string) => void) {
    this.#api = api;
    this.#say = say;
  }

  /**
   * Puts everything that is awake to sleep, and waits for what others have under way. What can never be saved is stopped, and
   * that is said. Returns the AIDs of what could not be saved and runs on: its memory is worth more than a tidy end.
   */
  async run(): Promise<string[]> {
    for (const from = performance.now(); ;) {
      const spentMs = performance.now() - from;
      const awake = (await this.#instances()).filter(({ state }) => !atRest.has(state));
      if (awake.every((instance) => this.#isHopeless(instance, spentMs))) return awake.filter(({ state }) => state !== 'stopping').map(({ aid }) => aid);
      await Promise.all(awake.filter(({ state }) => state === 'ready').map((instance) => this.#putToSleep(instance)));
      await pause(retryMs);
    }
  }

  /** @throws FarmError `unavailable` when no scheduler answers for so long that none will. */
  async #instances(): Promise<InstanceListing[]> {
    for (const deadline = performance.now() + schedulerBackWithinMs; ;) {
      try {
        return await this.#api.get('/instances', Instances);
      } catch (error) {
        if (FarmError.from(error).code !== 'unavailable' || performance.now() > deadline) throw error;
        await pause(retryMs);
      }
    }
  }

  #isHopeless({ aid, state }: InstanceListing, spentMs: number): boolean {
    if (state === 'stopping') return spentMs > stoppingWithinMs;
    if (state !== 'ready') return spentMs > settleWithinMs;
    const since = this.#failingSince.get(aid);
    return since !== undefined && performance.now() - since > tryForMs;
  }

  async #putToSleep({ aid, app }: InstanceListing): Promise<void> {
    const from = performance.now();
    try {
      await this.#api.post('/sleep', { target: aid }, Outcomes);
      this.#say(`${app} (${aid}) sleeps: ${Math.round(performance.now() - from)} ms`);
    } catch (error) {
      await this.#couldNot({ aid, app, error: FarmError.from(error), at: from });
    }
  }

  async #couldNot({ aid, app, error, at }: { aid: string; app: string; error: FarmError; at: number }): Promise<void> {
    if (error.code === 'unsupported-state') {
      this.#say(`${app} (${aid}) can never be saved and is stopped: ${error.message}`);
      await this.#api.post('/stop', { target: aid }, Outcomes).catch((failure: unknown) => this.#say(`${aid}: ${FarmError.from(failure).message}`));
      return;
    }
    if (!this.#failingSince.has(aid)) this.#failingSince.set(aid, at);
    const line = `${app} (${aid}) does not sleep yet: ${error.message}`;
    if (!this.#told.has(line)) this.#say(line);
    this.#told.add(line);
  }
}
