import { z } from 'zod';
import { AppSpec } from './app-spec.js';
import { WireError } from './errors.js';
import { Aid, AppName, Epoch, Millis, RoleId } from './ids.js';
import { BlockedPort, Endpoint, NodeLoad, Phases } from './records.js';

/** A call over NATS: a subject, what goes in, what comes back, and how long the caller waits. */
export interface Call<Request extends z.ZodType, Reply extends z.ZodType> {
  readonly subject: string;
  readonly request: Request;
  readonly reply: Reply;
  /** Milliseconds. */
  readonly timeoutMs: number;
}

/** A message over NATS that nobody answers. */
export interface Notice<Body extends z.ZodType> {
  readonly subject: string;
  readonly body: Body;
}

const call = <Q extends z.ZodType, R extends z.ZodType>(subject: string, timeoutMs: number, request: Q, reply: R): Call<Q, R> =>
  ({ subject, request, reply, timeoutMs });

/** What every reply is on the wire: the value, or a coded error. Callers get the value or a thrown FarmError. */
export const Envelope = z.union([z.object({ ok: z.literal(true), value: z.unknown() }), z.object({ ok: z.literal(false), error: WireError })]);
export type Envelope = z.infer<typeof Envelope>;

// ---- gateway -> scheduler ------------------------------------------------------------------------------------------

const WakeReply = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('ready'), aid: Aid, epoch: Epoch, endpoint: Endpoint, how: z.enum(['restore', 'launch', 'clone', 'unpark', 'already']), phases: Phases }),
  z.object({ kind: z.literal('refused'), because: z.string(), retryAfterS: z.number().int().positive() }),
]);
export type WakeReply = z.infer<typeof WakeReply>;

/** A request is waiting for an app of which no instance is ready. Answered when one is. Queue group `scheduler`. */
export const wake = call('appshot.wake', 60_000, z.object({ app: AppName, gateway: RoleId }), WakeReply);

/**
 * What a gateway saw of one app since its last report: sent every 250 ms while anything changes,
 * and at once when `inFlight` goes between 0 and more, when requests begin to be held, and when an instance fails to answer.
 */
export const Traffic = z.object({
  gateway: RoleId,
  at: Millis,
  app: AppName,
  /** Requests from arrival to last byte, held ones counted. */
  inFlight: z.number().int().nonnegative(),
  held: z.number().int().nonnegative(),
  /** Requests that arrived since the last report. */
  arrived: z.number().int().nonnegative(),
  /** When the last request arrived or ended. */
  lastActiveAt: Millis,
  instances: z.array(z.object({
    aid: Aid,
    inFlight: z.number().int().nonnegative(),
    finished: z.number().int().nonnegative(),
    failed: z.number().int().nonnegative(),
    /** Response times since the last report, milliseconds to the first byte; null without a finished request. */
    p50Ms: z.number().nullable(),
    p95Ms: z.number().nullable(),
  })),
});
export type Traffic = z.infer<typeof Traffic>;
export const traffic = { subject: 'appshot.traffic', body: Traffic } satisfies Notice<typeof Traffic>;

/**
 * A visitor came to a site of which this instance sleeps: the gateway says so to every agent before it asks a scheduler. The one that has
 * the image begins to fill memory, and where it has room enough it claims the wake by itself; nothing runs without a claimed epoch.
 */
export const VisitorCame = z.object({ app: AppName, aid: Aid });
export type VisitorCame = z.infer<typeof VisitorCame>;
export const visitorCame = { subject: 'appshot.visitor-came', body: VisitorCame } satisfies Notice<typeof VisitorCame>;

// ---- scheduler -> gateway ------------------------------------------------------------------------------------------

/** Which of these farm ports the gateway cannot open for an app, and who has them instead where that can be seen. */
export const checkPorts = (gateway: string): typeof checkPortsCall => ({ ...checkPortsCall, subject: `appshot.gateway.${gateway}.check-ports` });
const checkPortsCall = call(
  'check-ports', 15_000,
  z.object({ farmPorts: z.array(z.number().int().min(1).max(65_535)).max(1_000) }),
  z.object({ blocked: z.array(BlockedPort) }),
);

/**
 * Stop sending to an instance. The gateway answers once nothing of it is in flight to that instance and its kept-alive
 * connections to it are closed (`drained`), or when it could not be so within `withinMs` (`busy`). It sends nothing to the
 * instance again until a route change shows it `ready` with a higher epoch.
 */
export const drain = (gateway: string): typeof drainCall => ({ ...drainCall, subject: `appshot.gateway.${gateway}.drain` });
const drainCall = call(
  'drain', 35_000,
  z.object({ app: AppName, aid: Aid, epoch: Epoch, withinMs: z.number().int().nonnegative() }),
  z.discriminatedUnion('kind', [z.object({ kind: z.literal('drained') }), z.object({ kind: z.literal('busy'), inFlight: z.number().int() })]),
);

// ---- scheduler -> agent --------------------------------------------------------------------------------------------

/** Which instance, and the epoch of the transition that this operation belongs to. */
const Target = z.object({ aid: Aid, epoch: Epoch });

/**
 * No more than it takes: a visitor waits while it is read. `port`: where the app listens, inside. `decideMs`: what the
 * scheduler took before it called; given back among the phases of `instanceRestored`.
 */
const WakeTarget = Target.extend({ app: AppName, port: z.number().int().positive(), decideMs: z.number().nonnegative().default(0) });

/** What an operation that leaves an instance running answers. */
export const Started = z.object({ aid: Aid, endpoint: Endpoint, pids: z.number().int(), phases: Phases });
export type Started = z.infer<typeof Started>;

/** What a finished snapshot answers. `stoppedMs`: how long no process of the instance could run. */
export const SnapshotDone = z.object({ image: z.string(), bytes: z.number(), stoppedMs: z.number(), phases: Phases });
export type SnapshotDone = z.infer<typeof SnapshotDone>;

/** One translation between what an instance calls a resource and what its node calls it. */
export const ResourceId = z.object({ type: z.string(), virtual: z.union([z.string(), z.number()]), system: z.union([z.string(), z.number()]) });
export type ResourceId = z.infer<typeof ResourceId>;
/** What a translation has to match. */
export const ResourceIdQuery = z.object({ type: z.string().max(100).optional(), virtual: z.string().max(4096).optional(), system: z.string().max(4096).optional() });
export type ResourceIdQuery = z.infer<typeof ResourceIdQuery>;

/** The calls of an agent by verb. Made once: a schema's first use compiles its parser, a millisecond that a visitor would wait for. */
const callsByVerb = {
  launch: call('launch', 660_000, Target.extend({ spec: AppSpec }), Started),
  /** With `keepRunning` the instance runs on and the image is a template; without, it is gone when the image is safe. */
  snapshot: call('snapshot', 120_000, Target.extend({ keepRunning: z.boolean() }), SnapshotDone),
  /** A visitor came: give up a snapshot that is under way, or say that it is too late (`slept`). */
  cancelSnapshot: call('cancelSnapshot', 30_000, Target, z.object({ kind: z.enum(['running', 'slept']) })),
  restore: call('restore', 60_000, WakeTarget, Started),
  /** One clone of a template. With `parked` it is frozen before it serves anybody: it gets traffic after `unpark`. */
  clone: call('clone', 60_000, Target.extend({ template: z.string(), spec: AppSpec, parked: z.boolean().default(false) }), Started),
  /** Freezes a running instance that has no traffic; nothing happens to one that is parked. */
  park: call('park', 30_000, Target, z.object({})),
  /** Lets a parked instance run again. Well below a millisecond on the node. */
  unpark: call('unpark', 30_000, WakeTarget, Started),
  /** Keeps a template's memory resident in its zygote, so that a clone is a fork, or lets it go. */
  warm: call('warm', 30_000, z.object({ app: AppName, image: z.string(), resident: z.boolean() }), z.object({})),
  stop: call('stop', 60_000, Target.extend({ removeImage: z.boolean() }), z.object({ exited: z.boolean() })),
  removeImage: call('removeImage', 60_000, z.object({ image: z.string() }), z.object({})),
  /** Everything known of an instance or image, as the engine prints it. */
  inspect: call('inspect', 30_000, z.object({ id: z.string() }), z.record(z.string(), z.unknown())),
  /** What an instance calls its resources, beside what the node calls them; in both directions. */
  rids: call('rids', 30_000, z.object({ aid: Aid }).extend(ResourceIdQuery.shape), z.object({ rids: z.array(ResourceId) })),
  /** What the agent really has, for reconciling. */
  list: call('list', 30_000, z.object({}), z.object({
    running: z.array(Target.extend({ endpoint: Endpoint.nullable(), parked: z.boolean().default(false) })),
    images: z.array(z.object({ id: z.string(), bytes: z.number() })),
  })),
  /** The last lines that an instance printed, or those after a byte offset. */
  logs: call('logs', 30_000, z.object({ aid: Aid, after: z.number().int().nonnegative().optional(), maxBytes: z.number().int().positive().max(262_144).default(65_536) }),
    z.object({ text: z.string(), next: z.number().int() })),
};

/** The calls that the agent of one node answers. Every one may be sent twice; the second does no harm. */
export const agentCalls = (node: string): typeof callsByVerb =>
  Object.fromEntries(Object.entries(callsByVerb).map(([verb, one]) => [verb, { ...one, subject: `appshot.node.${node}.${verb}` }])) as unknown as typeof callsByVerb;

/**
 * An instance that slept, or stood parked, runs again: its agent tells every gateway at the moment when it answers the scheduler, so that
 * no visitor waits for the registry to hear of it. `epoch` is that of its being `restoring` or `unparking`; whatever the registry says
 * of it later has a higher one.
 */
export const InstanceRestored = z.object({ how: z.enum(['restore', 'unpark']), node: RoleId, app: AppName, aid: Aid, epoch: Epoch, endpoint: Endpoint, phases: Phases });
export type InstanceRestored = z.infer<typeof InstanceRestored>;
export const instanceRestored = { subject: 'appshot.instance-restored', body: InstanceRestored } satisfies Notice<typeof InstanceRestored>;

/**
 * The wake of an instance is begun, and this is where it will answer: a connection to it is made by the kernel, and waits there with what
 * was sent until the instance runs, if it ever does. Whoever has sent something is answered after `instanceRestored` only.
 */
export const InstanceComing = z.object({ app: AppName, aid: Aid, endpoint: Endpoint });
export type InstanceComing = z.infer<typeof InstanceComing>;
export const instanceComing = { subject: 'appshot.instance-coming', body: InstanceComing } satisfies Notice<typeof InstanceComing>;

/** An agent has decided a wake by itself, and recorded it; a scheduler writes the history. Queue group `scheduler`. */
export const NodeWoke = z.object({ node: RoleId, app: AppName, aid: Aid, because: z.string(), phases: Phases });
export type NodeWoke = z.infer<typeof NodeWoke>;
export const nodeWoke = { subject: 'appshot.node-woke', body: NodeWoke } satisfies Notice<typeof NodeWoke>;

/** An instance ended by itself, or an agent adopted or lost one. */
export const InstanceEnded = z.object({ node: RoleId, aid: Aid, at: Millis, how: z.string() });
export type InstanceEnded = z.infer<typeof InstanceEnded>;
export const instanceEnded = { subject: 'appshot.instance-ended', body: InstanceEnded } satisfies Notice<typeof InstanceEnded>;

/** Heartbeat of a node, every second. */
export const nodeLoad = { subject: 'appshot.node-load', body: NodeLoad } satisfies Notice<typeof NodeLoad>;

/** BullMQ queues and their jobs. Job ids are fixed, so that the same work is queued once. */
export const queues = {
  /** Put an idle instance to sleep: drain, snapshot, asleep. Job id `sleep-AID-EPOCH`. */
  sleep: { name: 'appshot-sleep', job: z.object({ app: AppName, aid: Aid, epoch: Epoch, because: z.string() }) },
  /** Make the app's template from a running instance, in the place of `renews` where there is one. Job id `template-APP-VERSION`. */
  template: { name: 'appshot-template', job: z.object({ app: AppName, aid: Aid, because: z.string(), renews: z.string().nullable().default(null) }) },
  /** Stop an instance for good. Job id `retire-AID`. */
  retire: { name: 'appshot-retire', job: z.object({ app: AppName, aid: Aid, because: z.string() }) },
  /** Compare what nodes have with what the registry says. Repeated. */
  reconcile: { name: 'appshot-reconcile', job: z.object({}) },
} as const;
