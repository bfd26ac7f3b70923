import { z } from 'zod';

/** States of an instance. */
export const InstanceState = z.enum([
  'launching', 'cloning', 'parked', 'unparking', 'ready', 'draining', 'snapshotting', 'asleep', 'restoring', 'stopping', 'gone', 'failed',
]);
export type InstanceState = z.infer<typeof InstanceState>;

/**
 * What may follow what. The registry refuses every other transition with the code `illegal-transition`.
 * `parked` is a clone that was made in advance and stands frozen, a thaw away from `ready`.
 * `draining` and `snapshotting` go back to `ready` when a visitor arrives before the image is final.
 */
export const transitions = {
  launching: ['ready', 'stopping', 'failed'],
  cloning: ['ready', 'parked', 'stopping', 'failed'],
  parked: ['unparking', 'stopping', 'failed'],
  unparking: ['ready', 'stopping', 'failed'],
  ready: ['draining', 'stopping', 'failed'],
  draining: ['ready', 'snapshotting', 'stopping', 'failed'],
  snapshotting: ['asleep', 'ready', 'stopping', 'failed'],
  asleep: ['restoring', 'stopping', 'failed'],
  restoring: ['ready', 'asleep', 'stopping', 'failed'],
  stopping: ['gone', 'failed'],
  failed: ['stopping', 'gone'],
  gone: [],
} as const satisfies Record<InstanceState, readonly InstanceState[]>;

/** States in which an instance has processes on its node. */
export const residentStates: ReadonlySet<InstanceState> = new Set<InstanceState>([
  'launching', 'cloning', 'parked', 'unparking', 'ready', 'draining', 'snapshotting', 'restoring', 'stopping',
]);
