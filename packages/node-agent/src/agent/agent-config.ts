import { RoleId } from '@appshot/protocol';
import { z } from 'zod';

/** Settings of an agent. */
export const AgentConfig = z.strictObject({
  /** Name of this node. */
  node: RoleId,
  /** Folder that holds everything of this node; only root may read it. */
  dir: z.string().startsWith('/', 'an absolute path'),
  redisUrl: z.url(),
  natsUrl: z.url(),
  /** Addresses of the farm, of which nodes lease theirs. */
  addresses: z.cidrv4().default('10.212.0.0/16'),
  /** Milliseconds that a released address rests before it is given again. */
  addressRestMs: z.coerce.number().int().nonnegative().default(30_000),
  /** Addresses leased in advance. */
  addressesSpare: z.coerce.number().int().positive().default(64),
  /** Pods (namespaces, cgroup, network) made in advance. */
  podsReady: z.coerce.number().int().nonnegative().default(8),
  /** User ids that apps run under, one each. */
  uidFirst: z.coerce.number().int().min(1_000).default(200_000),
  uidCount: z.coerce.number().int().positive().default(65_536),
  /** Bytes of one file of an app's log, and how many are kept. */
  logFileBytes: z.coerce.number().int().min(4_096).default(4 * 1024 * 1024),
  logFilesKept: z.coerce.number().int().min(2).default(4),
});
export type AgentConfig = z.infer<typeof AgentConfig>;
