import { setTimeout as delay } from 'node:timers/promises';
import { FarmError } from './farm-error.js';

export interface WaitOptions {
  withinMs?: number;
  everyMs?: number;
  /** What is waited for, as the end of "waited 5000 ms for …". */
  what?: string;
}

type Truthy<T> = Exclude<T, false | 0 | '' | null | undefined | void>;

/**
 * Asks until the answer is truthy, and returns it. An exception counts as "not yet" and becomes the cause of the timeout.
 * @throws FarmError `timeout`
 */
export async function waitUntil<T>(condition: () => T | Promise<T>, options: WaitOptions = {}): Promise<Truthy<Awaited<T>>> {
  const { withinMs = 10_000, everyMs = 20, what = 'a condition' } = options;
  const deadline = performance.now() + withinMs;
  for (;;) {
    let cause: unknown;
    try {
      const answer = await condition();
      if (answer) return answer as Truthy<Awaited<T>>;
    } catch (error) {
      cause = error;
    }
    if (performance.now() >= deadline) {
      const last = cause instanceof Error ? `; last error: ${cause.message}` : '';
      throw new FarmError('timeout', `waited ${withinMs} ms for ${what}${last}`, { cause });
    }
    await delay(everyMs);
  }
}
