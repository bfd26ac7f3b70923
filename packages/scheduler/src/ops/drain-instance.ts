import { setTimeout as delay } from 'node:timers/promises';
import { drain, type InstanceRecord } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import type { Farm } from '../farm.js';

export type Drained = { readonly kind: 'drained' } | { readonly kind: 'busy'; readonly inFlight: number };

/** Milliseconds beyond a drain's own limit that its answer is waited for. */
const answerMs = 3_000;

/** Every live gateway sends nothing more to the instance, and has nothing in flight to it, or says that it still has. */
export async function drainInstance(farm: Farm, record: InstanceRecord, withinMs: number): Promise<Drained> {
  const gateways = await farm.registry.gateways.live(farm.now());
  const answers = await Promise.all(gateways.map((gateway) => drainAt(farm, gateway, { record, withinMs })));
  const inFlight = answers.reduce((sum, answer) => sum + (answer.kind === 'busy' ? Math.max(1, answer.inFlight) : 0), 0);
  return answers.every((answer) => answer.kind === 'drained') ? { kind: 'drained' } : { kind: 'busy', inFlight };
}

/**
 * A gateway that does not answer counts as busy for as long as it is alive by its heartbeats: it may have lost NATS alone
 * and still be serving. When it is dead, so are its connections.
 */
async function drainAt(farm: Farm, gateway: string, { record, withinMs }: { record: InstanceRecord; withinMs: number }): Promise<Drained> {
  const deadline = performance.now() + withinMs + answerMs;
  for (;;) {
    const leftMs = Math.max(1, Math.round(deadline - performance.now()));
    try {
      return await farm.bus.call(drain(gateway), { app: record.app, aid: record.aid, epoch: record.epoch, withinMs: Math.max(0, leftMs - answerMs) }, { timeoutMs: leftMs });
    } catch (error) {
      const { code } = FarmError.from(error);
      if (!(await farm.registry.gateways.live(farm.now())).includes(gateway)) return { kind: 'drained' };
      if (code !== 'unavailable' || performance.now() + 100 > deadline) return { kind: 'busy', inFlight: 1 };
      await delay(100);
    }
  }
}
