import type { InstanceState } from '@appshot/protocol';

/** An instance's state as somebody told it: the route feed, its agent, a wake's answer or a drain call. They overtake each other. */
export interface Seen {
  readonly state: InstanceState;
  readonly epoch: number;
}

/**
 * Whether what is told now is newer than what is known. Epochs grow with every transition. At the same epoch two things
 * count: a drain, for nothing may be sent to an instance after its drain was promised, whatever else arrives late; and an
 * agent's word that what was on its way answers now, which the registry has not recorded yet.
 */
export function supersedes(told: Seen, known: Seen): boolean {
  if (told.epoch !== known.epoch) return told.epoch > known.epoch;
  return (told.state === 'draining' && known.state === 'ready') || (told.state === 'ready' && (known.state === 'restoring' || known.state === 'unparking'));
}
