import { Aid, AppName, AppRecord, FarmEvent, Millis, NodeRecord, Phases, ResourceId } from '@appshot/protocol';
import { z } from 'zod';

/** A row of GET /instances. */
export const InstanceListing = z.object({
  aid: Aid,
  app: AppName,
  state: z.string(),
  node: z.string(),
  ip: z.string().nullable(),
  port: z.number().nullable(),
  pids: z.number(),
  memoryBytes: z.number(),
  since: Millis,
  reason: z.string(),
  tier: z.enum(['awake', 'parked', 'image']),
  zygote: z.boolean(),
});
export type InstanceListing = z.infer<typeof InstanceListing>;

/** Answer of GET /top. */
export const Top = z.object({
  at: Millis,
  apps: z.array(z.object({
    app: AppName,
    states: z.record(z.string(), z.number()),
    inFlight: z.number(),
    held: z.number(),
    arrivedPerS: z.number(),
    p95Ms: z.number().nullable(),
    memoryBytes: z.number(),
    cpuUsed: z.number(),
  })),
});
export type Top = z.infer<typeof Top>;

/** What a verb that works on instances answers for each. */
export const Outcome = z.looseObject({ aid: z.string(), phases: Phases.optional() });
export type Outcome = z.infer<typeof Outcome>;

/** Answer of GET /rids/AID. */
export const ResourceIds = z.object({ aid: Aid, node: z.string(), rids: z.array(ResourceId) });

export const Outcomes = z.array(Outcome);
export const Apps = z.array(AppRecord);
export const Instances = z.array(InstanceListing);
export const Nodes = z.array(NodeRecord);
export const Anything = z.unknown();
export { AppRecord, FarmEvent };
