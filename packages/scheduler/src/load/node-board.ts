import type { Aid, AppName, Millis, NodeLoad, RoleId } from '@appshot/protocol';
import { placeTuning, roomOn, type NodeView } from '../policy/choose-node.js';

/** Memory given or freed that the node's reports do not show yet, bytes; negative when freed. */
interface Promised {
  readonly node: RoleId;
  readonly bytes: number;
  readonly aids: readonly Aid[];
  /** What a report has to say of these instances for it to be counted in there. */
  readonly shownWhen: 'running' | 'gone';
  readonly until: Millis;
}

/** How long a promise counts at most, milliseconds: two heartbeats. What has not shown by then failed, or is slow. */
const promiseMs = 2_500;

/** The last load of every node, and what has been placed there since. */
export class NodeBoard {
  readonly #loads = new Map<RoleId, { readonly load: NodeLoad; readonly seenAt: Millis }>();
  #promises: Promised[] = [];

  note(load: NodeLoad, now: Millis): void {
    this.#loads.set(load.node, { load, seenAt: now });
    const running = new Set(load.instances.map((one) => one.aid));
    this.#promises = this.#promises.filter((one) => one.node !== load.node || one.aids.some((aid) => running.has(aid) !== (one.shownWhen === 'running')));
  }

  /** Counts an instance that was just placed, so that ten clones decided at once do not all fit into the same room. */
  placed(node: RoleId, aid: Aid, bytes: number, now: Millis): void {
    this.#promises.push({ node, bytes, aids: [aid], shownWhen: 'running', until: now + promiseMs });
  }

  /** Nothing more is to come of an instance: it sleeps, or is gone. */
  settled(aid: Aid): void {
    this.#promises = this.#promises.filter((one) => !one.aids.includes(aid));
  }

  /** Counts memory that was just freed. */
  freed(node: RoleId, aids: readonly Aid[], bytes: number, now: Millis): void {
    this.#promises.push({ node, bytes: -bytes, aids, shownWhen: 'gone', until: now + promiseMs });
  }

  nodes(now: Millis): NodeView[] {
    this.#promises = this.#promises.filter((promise) => promise.until > now);
    return [...this.#loads.values()].map(({ load, seenAt }) => ({
      node: load.node,
      seenAt,
      cpus: load.cpus,
      cpuUsed: load.cpuUsed,
      memoryTotalBytes: load.memoryTotalBytes,
      memoryAvailableBytes: load.memoryAvailableBytes,
      promisedBytes: this.#promises.reduce((sum, promise) => sum + (promise.node === load.node ? promise.bytes : 0), 0),
      memoryPressure: load.pressure?.memory ?? null,
    }));
  }

  alive(now: Millis): NodeView[] {
    return this.nodes(now).filter((node) => now - node.seenAt < placeTuning.aliveForMs);
  }

  /** How many instances of a size the live nodes have room for. */
  roomFor(bytes: number, now: Millis): number {
    return this.alive(now).reduce((sum, node) => sum + Math.max(0, Math.floor(roomOn(node) / Math.max(1, bytes))), 0);
  }

  /** Whether some live node has a tenth of its CPUs left. */
  cpuLeft(now: Millis): boolean {
    return this.alive(now).some((node) => node.cpuUsed < 0.9 * node.cpus);
  }

  /** What the node last reported of an instance. */
  useOf(aid: Aid): NodeLoad['instances'][number] | null {
    for (const { load } of this.#loads.values()) {
      const use = load.instances.find((one) => one.aid === aid);
      if (use !== undefined) return use;
    }
    return null;
  }

  /** Templates whose memory is resident on a node, by its last report. */
  zygotesOn(node: RoleId): NodeLoad['zygotes'] {
    return this.#loads.get(node)?.load.zygotes ?? [];
  }

  loadOf(node: RoleId): { load: NodeLoad; seenAt: Millis } | null {
    return this.#loads.get(node) ?? null;
  }
}

/** An instance of an app of which no size is known yet is taken to be this big, or as big as the app file allows, if that is less. */
const firstGuessBytes = 64e6;

/** How much memory one more instance of an app is planned with. */
export function expectedBytes(spec: { name: AppName; resources: { memoryMb: number } }, seenBytes: readonly number[]): number {
  const seen = Math.max(0, ...seenBytes);
  return seen > 0 ? seen : Math.min(firstGuessBytes, spec.resources.memoryMb * 1e6);
}
