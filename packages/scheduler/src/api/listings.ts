import { Aid, AppName, InstanceState, Millis, type InstanceRecord } from '@appshot/protocol';
import { z } from 'zod';
import type { Farm } from '../farm.js';

/** A row of `appshot ps`. */
export const InstanceListing = z.object({
  aid: Aid, app: AppName, state: InstanceState, node: z.string(), ip: z.string().nullable(), port: z.number().nullable(),
  pids: z.number(), memoryBytes: z.number(), since: Millis, reason: z.string(),
  /** How far from serving it is. */
  tier: z.enum(['awake', 'parked', 'image']),
  /** Whether its app's template is resident on its node, so that a clone is a fork. */
  zygote: z.boolean(),
});
export type InstanceListing = z.output<typeof InstanceListing>;

/** A record, with what its node last said of its use. */
export function instanceListing(farm: Farm, record: InstanceRecord): InstanceListing {
  const { aid, app, state, node, endpoint, since, reason } = record;
  const use = state === 'asleep' ? null : farm.nodes.useOf(aid);
  return {
    aid, app, state, node, ip: endpoint?.ip ?? null, port: endpoint?.port ?? null,
    pids: use?.pids ?? record.pids, memoryBytes: use?.memoryBytes ?? record.memoryBytes, since, reason,
    tier: tierOf(state), zygote: farm.nodes.zygotesOn(node).some((one) => one.app === app),
  };
}

function tierOf(state: InstanceState): InstanceListing['tier'] {
  if (state === 'asleep' || state === 'restoring') return 'image';
  return state === 'parked' || state === 'unparking' ? 'parked' : 'awake';
}

export const Top = z.object({
  at: Millis,
  apps: z.array(z.object({
    app: AppName, priority: z.number(), states: z.record(z.string(), z.number()),
    inFlight: z.number(), held: z.number(), arrivedPerS: z.number(), p95Ms: z.number().nullable(),
    memoryBytes: z.number(), cpuUsed: z.number(), lastActiveAt: Millis.nullable(),
  })),
});

/** Every app with its load now, the busiest first. */
export function topOf(farm: Farm): z.output<typeof Top> {
  const now = farm.now();
  const apps = farm.view.names().map((app) => {
    const { record, instances } = farm.view.of(app);
    const load = farm.traffic.of(app, now).window(now);
    const uses = instances.flatMap((one) => farm.nodes.useOf(one.aid) ?? []);
    const states: Record<string, number> = {};
    for (const one of instances) states[one.state] = (states[one.state] ?? 0) + 1;
    return {
      app, priority: record?.spec.priority ?? 0, states,
      inFlight: load.inFlightNow, held: load.heldNow, arrivedPerS: load.spanMs > 0 ? load.arrived * 1000 / load.spanMs : 0, p95Ms: load.p95Ms,
      memoryBytes: uses.reduce((sum, use) => sum + use.memoryBytes, 0), cpuUsed: uses.reduce((sum, use) => sum + use.cpuUsed, 0), lastActiveAt: load.lastActiveAt,
    };
  });
  return { at: now, apps: apps.sort((a, b) => b.arrivedPerS - a.arrivedPerS || b.memoryBytes - a.memoryBytes || (a.app < b.app ? -1 : 1)) };
}
