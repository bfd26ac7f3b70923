// The registry's own prefix: one farm, one place. The hash tag keeps a cluster from scattering it.
const prefix = 'appshot:{farm}:';

/** Keys that only schedulers use. What the farm knows of itself is in the registry. */
export const redisKeys = {
  /** Prefix of BullMQ's keys. */
  jobs: `${prefix}jobs`,
  /** Token of the scheduler that holds it; runs out by itself. */
  lease: (name: string) => `${prefix}lease:${name}`,
  /** Hash: app -> what was learnt of its pauses (JSON). */
  habits: `${prefix}habits`,
} as const;
