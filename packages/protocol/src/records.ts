import { z } from 'zod';
import { AppSpec } from './app-spec.js';
import { Aid, AppName, Epoch, Millis, RoleId } from './ids.js';
import { InstanceState } from './states.js';

/** Where an instance answers, as reached from the gateway: an IPv4 address and a port. */
export const Endpoint = z.object({ ip: z.ipv4(), port: z.number().int().min(1).max(65_535) });
export type Endpoint = z.infer<typeof Endpoint>;

/** Milliseconds by the name of the phase, in the order in which the phases ran. */
export const Phases = z.record(z.string(), z.number());
export type Phases = z.infer<typeof Phases>;

/** Why something was decided, in words that do not vary with numbers; numbers stand in `facts`. */
export const Reason = z.object({ because: z.string(), facts: z.record(z.string(), z.unknown()).optional() });
export type Reason = z.infer<typeof Reason>;

/** An instance's record in the registry. */
export const InstanceRecord = z.object({
  aid: Aid,
  app: AppName,
  /** Version of the app's specification that the instance was started from. */
  version: z.number().int().positive(),
  state: InstanceState,
  epoch: Epoch,
  node: RoleId,
  endpoint: Endpoint.optional(),
  /** AID of the image it sleeps in or was made from. */
  image: z.string().optional(),
  memoryBytes: z.number().nonnegative().default(0),
  pids: z.number().int().nonnegative().default(0),
  /** When it entered its state. */
  since: Millis,
  /** Why it entered its state. */
  reason: z.string(),
  /** The node that decided its last wake by itself; none when a scheduler did. */
  claimedBy: RoleId.optional(),
});
export type InstanceRecord = z.infer<typeof InstanceRecord>;

/** One version of an app: what was deployed, and what its clones are made from. */
export const AppVersion = z.object({
  spec: AppSpec,
  /** Grows with each deploy, and is never used twice. */
  version: z.number().int().positive(),
  deployedAt: Millis,
  /** The image from which clones are made; null until there is one. */
  template: z.string().nullable(),
});
export type AppVersion = z.infer<typeof AppVersion>;

/** A version that has a share of the requests beside the current one, until it is given all of them or none. */
export const AppTrial = AppVersion.extend({
  /** Of the requests, 1 to 99. */
  percent: z.number().int().min(1).max(99),
});
export type AppTrial = z.infer<typeof AppTrial>;

/** An app's record in the registry: its current version, the one before it, and one on trial. */
export const AppRecord = AppVersion.extend({
  /** What a rollback goes back to; null before the second deploy. */
  previous: AppVersion.nullable().default(null),
  trial: AppTrial.nullable().default(null),
});
export type AppRecord = z.infer<typeof AppRecord>;

/** A snapshot image or template, and the node that has it. */
export const ImageRecord = z.object({
  id: z.string(),
  app: AppName,
  aid: Aid,
  node: RoleId,
  bytes: z.number().nonnegative(),
  createdAt: Millis,
});
export type ImageRecord = z.infer<typeof ImageRecord>;

/** What a node has and uses; sent with every heartbeat. Pressure is the kernel's `some avg10`, percent. */
export const NodeLoad = z.object({
  node: RoleId,
  at: Millis,
  cpus: z.number().positive(),
  cpuUsed: z.number().nonnegative(),
  memoryTotalBytes: z.number().nonnegative(),
  memoryAvailableBytes: z.number().nonnegative(),
  pressure: z.object({ cpu: z.number(), memory: z.number(), io: z.number() }).nullable(),
  slotsFree: z.number().int().nonnegative(),
  instances: z.array(z.object({
    aid: Aid,
    epoch: Epoch,
    pids: z.number().int(),
    memoryBytes: z.number(),
    /** CPUs used since the last report; 1 is one CPU all of the time. */
    cpuUsed: z.number(),
  })),
  /** Templates whose memory is resident there. */
  zygotes: z.array(z.object({ app: AppName, image: z.string() })).default([]),
});
export type NodeLoad = z.infer<typeof NodeLoad>;

/** A node's record in the registry. */
export const NodeRecord = z.object({ node: RoleId, seenAt: Millis, load: NodeLoad.nullable() });
export type NodeRecord = z.infer<typeof NodeRecord>;

/** One instance, as a gateway sees it. Only `ready` ones get requests. */
export const RouteInstance = z.object({
  aid: Aid,
  state: InstanceState,
  epoch: Epoch,
  endpoint: Endpoint.optional(),
  version: z.number().int().positive(),
});
export type RouteInstance = z.infer<typeof RouteInstance>;

/** Everything that a gateway has to know about an app. */
export const Route = z.object({
  app: AppName,
  hosts: z.array(z.string()),
  /** Ports of the farm, and where each instance listens for what comes there. */
  exposed: z.array(z.object({ farmPort: z.number().int(), port: z.number().int(), silentMs: z.number().int() })).default([]),
  concurrency: z.number().int().positive(),
  /** How long a request may wait for a wake. */
  holdMs: z.number().int().positive(),
  instances: z.array(RouteInstance),
  /** Instances of this version get that share of the requests, those of every other version the rest. */
  trial: AppTrial.pick({ version: true, percent: true }).nullable(),
});
export type Route = z.infer<typeof Route>;

/** A change in the feed: the app's whole new route, or that it is gone. Revisions are Redis stream ids. */
export const RouteChange = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('set'), route: Route }),
  z.object({ kind: z.literal('removed'), app: AppName }),
]);
export type RouteChange = z.infer<typeof RouteChange>;

/** One line of `appshot events`. */
/** A farm port that a program outside of the farm has. */
export const BlockedPort = z.object({
  farmPort: z.number().int(),
  /** As `nginx (pid 812)`; null where it cannot be found. */
  owner: z.string().nullable(),
});
export type BlockedPort = z.infer<typeof BlockedPort>;

export const FarmEvent = z.object({
  at: Millis,
  type: z.enum([
    'deployed', 'removed', 'launched', 'exercised', 'woken', 'slept', 'cloned', 'parked', 'unparked', 'templated', 'retired', 'stopped',
    'shifted', 'rolled-back', 'drain-cancelled', 'failed', 'refused', 'adopted', 'lost', 'role-started', 'role-died',
    'port-blocked', 'port-opened',
  ]),
  app: AppName.nullable(),
  aid: Aid.nullable(),
  node: RoleId.nullable(),
  because: z.string(),
  phases: Phases.optional(),
  facts: z.record(z.string(), z.unknown()).optional(),
});
export type FarmEvent = z.infer<typeof FarmEvent>;
