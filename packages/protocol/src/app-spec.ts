import { z } from 'zod';
import { CloneSpec } from './clone-spec.js';
import { AppName } from './ids.js';

/** A host name, or a wildcard for exactly one label: `*.example.org`. Lower case, no port. */
export const HostName = z.string().max(253).regex(
  /^(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/,
  'a host name in lower case, or "*." and a host name',
);

const absolutePath = z.string().regex(/^\/[^\0]*$/, 'an absolute path');

/** How many instances an app has, and when. */
export const ScaleSpec = z.strictObject({
  /** Instances kept awake even when nobody visits. */
  min: z.number().int().min(0).max(1000).default(0),
  /** Instances at most. */
  max: z.number().int().min(1).max(1000).default(20),
  /** Requests in flight that one instance is given at most. */
  concurrency: z.number().int().min(1).max(100_000).default(50),
  /** 95th percentile of the response time above which another clone is made; milliseconds. */
  p95Ms: z.number().int().min(1).max(600_000).default(200),
  /** Idle time after which an instance is put to sleep, milliseconds; `auto` learns it from the app's own history; `never` keeps it awake. */
  idleMs: z.union([z.number().int().min(100).max(86_400_000), z.literal('auto'), z.literal('never')]).default('auto'),
});
export type ScaleSpec = z.infer<typeof ScaleSpec>;

const portNumber = z.number().int().min(1).max(65_535);

/** A TCP port of the app that the farm offers on one port of its own, in front of all instances. */
export const ExposedPort = z.strictObject({
  /** Where the app listens, inside. */
  port: portNumber,
  /** UDP has no connections that could be held, spread or counted. */
  protocol: z.enum(['tcp']).default('tcp'),
  /** The farm's port; one of the farm's own range without it. The app keeps it until it is removed. */
  farmPort: portNumber.optional(),
  /** A connection without a byte either way for so long is closed, so that the app can sleep; 0: never. Milliseconds. */
  silentMs: z.number().int().min(0).max(86_400_000).default(0),
});
export type ExposedPort = z.infer<typeof ExposedPort>;

/** What a user deploys, with every default filled in. */
export const AppSpec = z.strictObject({
  name: AppName,
  /** May be left out by an app that only exposes TCP ports. */
  hosts: z.array(HostName).max(100).default([]),
  command: z.array(z.string().min(1)).min(1),
  /** Absolute when it reaches the registry; relative to the app file in the file. */
  cwd: absolutePath,
  env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string()).default({}),
  /** A user of the node; by default an unprivileged id of the app's own. */
  user: z.string().min(1).optional(),
  /** TCP port on which the app listens, inside. */
  port: z.number().int().min(1).max(65_535),
  /** An open connection counts as a request in flight: the app is idle when there is none. */
  expose: z.array(ExposedPort).max(20).default([]),
  ready: z.strictObject({
    /** Path that has to answer with a status below 500; without it an open port is enough. */
    http: z.string().startsWith('/').optional(),
    withinMs: z.number().int().min(100).max(600_000).default(30_000),
  }).prefault({}),
  scale: ScaleSpec.prefault({}),
  /** The higher goes first when a node is short of memory. */
  priority: z.number().int().min(0).max(1000).default(100),
  resources: z.strictObject({
    memoryMb: z.number().int().min(16).max(1_048_576).default(512),
    cpus: z.number().min(0.01).max(1024).default(1),
  }).prefault({}),
  template: z.strictObject({
    /** When the template is made: as soon as the app is ready, or after it has answered its first request. */
    after: z.enum(['ready', 'first-request']).default('first-request'),
    /** Paths requested once before the template is made. */
    warmup: z.array(z.string().startsWith('/')).default([]),
    /** Paths requested over and over when it has been launched, for a second at most; `ready.http` where there is one and this is not said. */
    exercise: z.array(z.string().startsWith('/')).optional(),
  }).prefault({}),
  /** What clones share and what each gets of its own: docs/rules.md. */
  rules: z.string().default(''),
  clone: CloneSpec.prefault({}),
  /**
   * What becomes of established connections to the outside when an instance sleeps: kept, if it comes back under the same address
   * (`auto`: within 15 minutes, `keep`: within a day), or ended at once.
   */
  connections: z.enum(['auto', 'keep', 'reset']).default('auto'),
  /** Its programs may use io_uring and Linux AIO: they are never saved while they do. Without it they find a kernel that has none (ADR 0191). */
  asyncIo: z.boolean().default(false),
  /** Its instances may open connections to what is beyond the node, and ask its name servers. Without it they only answer (ADR 0233). */
  egress: z.boolean().default(false),
  /** `compress: zstd`: what sleeps takes less of the disk, and wakes slower, since all of its memory is unpacked first. */
  snapshot: z.strictObject({ compress: z.enum(['none', 'zstd']) }).optional(),
  volumes: z.array(z.string().regex(/^\/[^:]*:\/[^:]*$/, 'HOST-PATH:PATH, both absolute')).default([]),
});
export type AppSpec = z.infer<typeof AppSpec>;
