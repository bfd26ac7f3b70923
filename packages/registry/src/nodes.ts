import { type NodeLoad, NodeRecord } from '@appshot/protocol';
import { keys } from './keys.js';
import type { RedisDoor } from './redis-door.js';

export class Nodes {
  readonly #door: RedisDoor;

  constructor(door: RedisDoor) {
    this.#door = door;
  }

  /** The node was alive at `load.at`. */
  async heartbeat(load: NodeLoad): Promise<void> {
    const record: NodeRecord = { node: load.node, seenAt: load.at, load };
    await this.#door.do('nodes.heartbeat', (redis) => redis.hset(keys.nodes, load.node, JSON.stringify(record)));
  }

  /** Every node that was ever seen, sorted by name; `seenAt` says when. */
  async list(): Promise<NodeRecord[]> {
    const jsons = await this.#door.do('nodes.list', (redis) => redis.hvals(keys.nodes));
    return jsons.map((json) => NodeRecord.parse(JSON.parse(json))).sort((a, b) => (a.node < b.node ? -1 : 1));
  }
}
