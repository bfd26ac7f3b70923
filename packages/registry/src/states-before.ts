import { InstanceState, transitions } from '@appshot/protocol';

/** The states from which the table of states allows to enter `to`. */
export function statesBefore(to: InstanceState): InstanceState[] {
  return InstanceState.options.filter((state) => (transitions[state] as readonly InstanceState[]).includes(to));
}
