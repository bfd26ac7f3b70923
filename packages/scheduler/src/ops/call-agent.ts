import { setTimeout as delay } from 'node:timers/promises';
import type { Call } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import type { z } from 'zod';
import type { Farm } from '../farm.js';

/** An agent that was killed is started again within a second; longer than this nobody waits for it. */
const awayForMs = 8_000;
const pauseMs = 100;

/**
 * Asks an agent, and again while nobody answers for it. Every call may be sent twice.
 * @throws FarmError as the agent answered, `unavailable`, `timeout`
 */
export async function callAgent<Q extends z.ZodType, R extends z.ZodType>(farm: Farm, call: Call<Q, R>, request: z.input<Q>, timeoutMs = call.timeoutMs): Promise<z.output<R>> {
  const deadline = performance.now() + Math.min(awayForMs, timeoutMs);
  for (;;) {
    try {
      return await farm.bus.call(call, request, { timeoutMs });
    } catch (error) {
      if (!(error instanceof FarmError) || error.code !== 'unavailable' || performance.now() > deadline) throw error;
      await delay(pauseMs);
    }
  }
}
