import { setTimeout as delay } from 'node:timers/promises';
import type { Call } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import type { z } from 'zod';
import type { Farm } from '../farm.js';

/** An agent that was killed is started again at once, which takes a second, or ten where all is slow; longer than this nobody waits for it. */
const awayForMs = 20_000;
const pauseMs = 100;
/** An agent that dies with a call in its hands never answers it, and NATS does not tell: asked again after this, and ever more slowly. */
const askAgainMs = 2_000;

/**
 * Asks an agent, and again while nobody answers for it. Every call may be sent twice: a copy joins what is under way.
 * @throws FarmError as the agent answered, `unavailable`, `timeout`
 */
export async function callAgent<Q extends z.ZodType, R extends z.ZodType>(farm: Farm, call: Call<Q, R>, request: z.input<Q>, timeoutMs = call.timeoutMs): Promise<z.output<R>> {
  const deadline = performance.now() + timeoutMs;
  let patienceMs = askAgainMs;
  let awaySince: number | null = null;
  for (;;) {
    const askedAt = performance.now();
    const attemptMs = Math.max(1, Math.ceil(Math.min(patienceMs, deadline - askedAt)));
    try {
      return await farm.bus.call(call, request, { timeoutMs: attemptMs });
    } catch (error) {
      const now = performance.now();
      const code = error instanceof FarmError ? error.code : 'internal';
      if (now >= deadline) throw error;
      if (code === 'unavailable') {
        awaySince ??= askedAt;
        if (now - awaySince > awayForMs) throw error;
        await delay(pauseMs);
        continue;
      }
      // A time-out that came sooner is the agent's own answer.
      if (code !== 'timeout' || now - askedAt < attemptMs - 1) throw error;
      awaySince = null;
      patienceMs *= 2;
    }
  }
}
