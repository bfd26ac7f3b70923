import type { InstanceState } from '@appshot/protocol';

/** An instance's state as somebody told it: the route feed, a wake's answer or a drain call. They overtake each other. */
export interface Seen {
  readonly state: InstanceState;
  readonly epoch: number;
}

/**
 * Whether what is told now is newer than what is known. Epochs grow with every transition; at the same epoch only a
 * drain counts, for nothing may be sent to an instance after its drain was promised, whatever else arrives late.
 */
export function supersedes(told: Seen, known: Seen): boolean {
  return told.epoch > known.epoch || (told.epoch === known.epoch && told.state === 'draining' && known.state === 'ready');
}
