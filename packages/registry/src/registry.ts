import { Aids } from './aids.js';
import { Apps } from './apps.js';
import { Events } from './events.js';
import { Gateways } from './gateways.js';
import { Images } from './images.js';
import { Instances } from './instances.js';
import { Ips } from './ips.js';
import { Nodes } from './nodes.js';
import { Ports } from './ports.js';
import type { RedisDoor } from './redis-door.js';
import { Routes } from './routes.js';
import { SpecReader } from './spec-reader.js';

/**
 * What the farm knows, in Redis. Every method may throw FarmError `unavailable` when Redis is away for longer than a
 * command waits; what else it throws stands at the method.
 */
export class Registry {
  readonly aids: Aids;
  readonly ips: Ips;
  readonly ports: Ports;
  readonly apps: Apps;
  readonly instances: Instances;
  readonly nodes: Nodes;
  readonly gateways: Gateways;
  readonly images: Images;
  readonly routes: Routes;
  readonly events: Events;
  readonly #door: RedisDoor;

  constructor(door: RedisDoor) {
    this.#door = door;
    this.aids = new Aids(door);
    this.ips = new Ips(door);
    this.ports = new Ports(door);
    const specs = new SpecReader();
    this.apps = new Apps(door, specs);
    this.instances = new Instances(door);
    this.nodes = new Nodes(door);
    this.gateways = new Gateways(door);
    this.images = new Images(door);
    this.routes = new Routes(door, specs);
    this.events = new Events(door);
  }

  get connected(): boolean {
    return this.#door.redis.status === 'ready';
  }

  /** Whether Redis answers. @throws FarmError `unavailable` */
  async ping(): Promise<void> {
    await this.#door.do('ping', (redis) => redis.ping());
  }

  /** Ends at once; followers are ended by their signals. */
  async close(): Promise<void> {
    this.#door.redis.disconnect();
  }
}
