import { settleWithin } from '@appshot/runtime';
import { z } from 'zod';
import type { Farm } from '../farm.js';
import { placeTuning } from '../policy/choose-node.js';

export const Health = z.object({
  /** `ok`: sites can be woken. `degraded`: some part is away, and what `parts` says does not work now. */
  status: z.enum(['ok', 'degraded']),
  parts: z.object({
    redis: z.object({ ok: z.boolean(), ms: z.number() }),
    nats: z.object({ ok: z.boolean() }),
    agents: z.array(z.object({ node: z.string(), ok: z.boolean(), seenMsAgo: z.number() })),
    gateways: z.array(z.string()),
  }),
});
export type Health = z.output<typeof Health>;

const withinMs = 1_000;

/** Asks every part that a wake needs. Answers within about a second also when none does. */
export async function healthOf(farm: Farm): Promise<Health> {
  const begunAt = performance.now();
  const redis = await settleWithin(() => farm.registry.ping(), withinMs);
  const redisOk = { ok: redis.kind === 'done', ms: Math.round((performance.now() - begunAt) * 10) / 10 };
  const gateways = redisOk.ok ? await settleWithin(() => farm.registry.gateways.live(farm.now()), withinMs) : null;
  const now = farm.now();
  const agents = farm.nodes.nodes(now).map(({ node, seenAt }) => ({ node, ok: now - seenAt < placeTuning.aliveForMs, seenMsAgo: Math.round(now - seenAt) }));
  const nats = { ok: farm.bus.connected };
  return {
    status: redisOk.ok && nats.ok && agents.some((agent) => agent.ok) ? 'ok' : 'degraded',
    parts: { redis: redisOk, nats, agents, gateways: gateways?.kind === 'done' ? gateways.value : [] },
  };
}
