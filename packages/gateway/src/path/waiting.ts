import type { Endpoint } from '@appshot/protocol';
import type { Problem } from '../answer/problem.js';
import type { Lane } from '../site/lane.js';
import type { Site } from '../site/site.js';

/** A visitor who may have to wait for an instance: a request, or a connection to an exposed port. */
export interface Waiting {
  readonly site: Site;
  /** When it is told that nothing became ready, by `performance.now()`; 0 as long as it never had to wait. */
  heldUntil: number;
  readonly waited: boolean;
  /** Its turn at an instance. */
  send(lane: Lane): void;
  /** An instance is about to be back there; whether it will be is not sure. */
  sendAhead(endpoint: Endpoint): void;
  /** It gets none. */
  refuse(problem: Problem): void;
}
