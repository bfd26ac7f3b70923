import { setTimeout as delay } from 'node:timers/promises';
import type { Aid, AppSpec, RoleId } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import type { Farm } from '../farm.js';
import { expectedBytes } from '../load/node-board.js';
import { chooseNode, roomOn } from '../policy/choose-node.js';
import { makeRoom } from './make-room.js';
import { memoryOf } from './memory-of.js';

/** After its own start, or NATS's, a scheduler has heard of no node yet; heartbeats come every second, and an agent may be just starting. */
const firstHeartbeatMs = 15_000;

/** How much memory one more instance of the app is planned with. */
export function plannedBytes(farm: Farm, spec: AppSpec): number {
  const seen = farm.view.of(spec.name).instances.map((one) => memoryOf(farm, one));
  return expectedBytes(spec, [...seen, farm.memory.of(spec.name, farm.now()).memoryBytes]);
}

/**
 * Finds a node with room for one more instance of the app, and makes room where there is none but less important sites.
 * @throws FarmError `no-room`, `unavailable` (no node is alive), `not-found` (the image is on no node)
 */
export async function placeInstance(farm: Farm, spec: AppSpec, { aid, on }: { aid: Aid; on: readonly RoleId[] | null }): Promise<RoleId> {
  const deadline = performance.now() + firstHeartbeatMs;
  const memoryBytes = plannedBytes(farm, spec);
  for (let preempted = false; ;) {
    const placement = chooseNode(farm.nodes.nodes(farm.now()), { memoryBytes, on }, farm.now());
    if (placement.kind === 'placed') {
      farm.nodes.placed(placement.node, aid, memoryBytes, farm.now());
      return placement.node;
    }
    if (placement.kind === 'full') {
      const made = preempted ? null : await makeRoom(farm, { node: placement.node, bytes: placement.shortByBytes, for: spec });
      if (made?.kind !== 'preempt') throw noRoom(spec, placement.shortByBytes);
      preempted = true;
      continue;
    }
    if (performance.now() > deadline) {
      throw placement.because === 'no-node-alive'
        ? new FarmError('unavailable', 'no node of the farm is alive now')
        : new FarmError('not-found', `the template of ${spec.name} is on no live node`);
    }
    await delay(100);
  }
}

/** The same for an instance whose node is given: where its image is, it is restored. @throws FarmError `no-room` */
export async function makeRoomForRestore(farm: Farm, spec: AppSpec, node: RoleId): Promise<void> {
  const view = farm.nodes.nodes(farm.now()).find((one) => one.node === node);
  const bytes = plannedBytes(farm, spec);
  if (view === undefined || roomOn(view) >= bytes) return;
  const made = await makeRoom(farm, { node, bytes: bytes - roomOn(view), for: spec });
  // The plan is a guess: while there is any room at all the engine may try.
  if (made.kind === 'refuse' && roomOn(view) < 0) throw noRoom(spec, made.shortByBytes);
}

const noRoom = (spec: AppSpec, shortByBytes: number): FarmError =>
  new FarmError('no-room', `there is no memory for one more instance of ${spec.name}, and nothing less important to put to sleep`, { facts: { shortByBytes: Math.round(shortByBytes) } });
