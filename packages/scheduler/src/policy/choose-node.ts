import type { Millis, RoleId } from '@appshot/protocol';

/** What has to be known of a node to place something on it. */
export interface NodeView {
  readonly node: RoleId;
  readonly seenAt: Millis;
  readonly cpus: number;
  readonly cpuUsed: number;
  readonly memoryTotalBytes: number;
  readonly memoryAvailableBytes: number;
  /** Memory of instances that were placed there and do not show in what is available yet. */
  readonly promisedBytes: number;
  /** Kernel pressure of the memory, `some avg10`, percent; null when the kernel has none. */
  readonly memoryPressure: number | null;
}

export interface PlaceNeed {
  readonly memoryBytes: number;
  /** Nodes that have the image it is made from; null when any node will do. */
  readonly on: readonly RoleId[] | null;
}

export type Placement =
  | { readonly kind: 'placed'; readonly node: RoleId; readonly because: 'most-room' | 'has-the-image' }
  | { readonly kind: 'full'; readonly shortByBytes: number; readonly node: RoleId }
  | { readonly kind: 'none'; readonly because: 'no-node-alive' | 'image-on-no-live-node' };

export const placeTuning = {
  /** A node that has not been heard of for this long gets nothing new. Heartbeats come every second. */
  aliveForMs: 5_000,
  /** Part of the memory that stays free for the node itself and its page cache. */
  reserve: 0.05,
  /** Pressure above which a node gets nothing new while another has less. */
  pressed: 20,
} as const;

/** Memory that a node can still give to instances, bytes; may be negative. */
export function roomOn(node: NodeView): number {
  return node.memoryAvailableBytes - node.promisedBytes - placeTuning.reserve * node.memoryTotalBytes;
}

/** How short of memory a node is: 0 while a fifth or more of it is left, 1 when nothing is. */
export function memoryShortage(node: NodeView): number {
  const left = roomOn(node) / Math.max(1, node.memoryTotalBytes);
  return Math.min(1, Math.max(0, 1 - left / 0.2));
}

/** The live node with the most room, by memory first and CPU second. */
export function chooseNode(nodes: readonly NodeView[], need: PlaceNeed, now: Millis): Placement {
  const alive = nodes.filter((node) => now - node.seenAt < placeTuning.aliveForMs);
  if (alive.length === 0) return { kind: 'none', because: 'no-node-alive' };
  const usable = need.on === null ? alive : alive.filter((node) => need.on?.includes(node.node));
  const best = usable.toSorted((a, b) => score(b, need) - score(a, need))[0];
  if (best === undefined) return { kind: 'none', because: 'image-on-no-live-node' };
  const room = roomOn(best);
  if (room >= need.memoryBytes) return { kind: 'placed', node: best.node, because: need.on === null ? 'most-room' : 'has-the-image' };
  return { kind: 'full', node: best.node, shortByBytes: need.memoryBytes - room };
}

/** Whether it fits counts before everything, pressure before the room that would be left, and that before the CPU. */
function score(node: NodeView, need: PlaceNeed): number {
  const room = roomOn(node) - need.memoryBytes;
  const pressed = (node.memoryPressure ?? 0) > placeTuning.pressed ? -1 : 0;
  const memoryLeft = room / Math.max(1, node.memoryTotalBytes);
  const cpuLeft = 1 - Math.min(1, node.cpuUsed / node.cpus);
  return (room >= 0 ? 1_000 : 0) + pressed * 100 + memoryLeft * 2 + cpuLeft;
}
