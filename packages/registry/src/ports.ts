import type { ExposedPort } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import { keys } from './keys.js';
import type { RedisDoor } from './redis-door.js';

/** A port of the farm, and the port of an app that stands behind it: on whichever instances are ready. */
export interface FarmPort {
  readonly farmPort: number;
  readonly app: string;
  /** Where every instance of the app listens, on its own address. */
  readonly port: number;
}

/** Which farm port belongs to which app. One that was given stays with its app until it is released. */
export class Ports {
  readonly #door: RedisDoor;

  constructor(door: RedisDoor) {
    this.#door = door;
  }

  /**
   * The app's exposed ports with their farm ports: those that are wished for, those that the app has already, and for the
   * rest the lowest that are free from `first` to `last`.
   * @throws FarmError `port-in-use` (facts {farmPort, owner}), `no-room` (none left)
   */
  async claim(app: string, expose: readonly ExposedPort[], { first, last }: { first: number; last: number }): Promise<Required<ExposedPort>[]> {
    if (expose.length === 0) return [];
    const wishes = expose.flatMap(({ port, farmPort }) => [port, farmPort ?? '']);
    const [kind, ...given] = (await this.#door.script('claim-ports', [keys.farmPorts], [app, first, last, ...wishes])) as [string, ...string[]];
    if (kind === 'ok') return expose.map((one, i) => ({ ...one, farmPort: Number(given[i]) }));
    if (kind === 'none-left') throw new FarmError('no-room', `all farm ports from ${first} to ${last} are taken; give one by "farmPort", or remove an app`);
    const [farmPort, owner] = given;
    throw new FarmError('port-in-use', `the farm port ${farmPort} belongs to the app "${owner}"; choose another, or remove that app`, { facts: { farmPort: Number(farmPort), owner } });
  }

  /** The app needs no farm ports but `kept`; removing an app frees its ports too. */
  async release(app: string, { but: kept = [] }: { but?: readonly number[] } = {}): Promise<void> {
    const mine = (await this.ofApp(app)).filter(({ farmPort }) => !kept.includes(farmPort));
    if (mine.length > 0) await this.#door.do('ports.release', (redis) => redis.hdel(keys.farmPorts, ...mine.map(({ farmPort }) => String(farmPort))));
  }

  /** By farm port. */
  async list(): Promise<FarmPort[]> {
    const known = await this.#door.do('ports.list', (redis) => redis.hgetall(keys.farmPorts));
    return Object.entries(known)
      .map(([farmPort, owner]) => ({ farmPort: Number(farmPort), app: owner.split(' ')[0]!, port: Number(owner.split(' ')[1]) }))
      .sort((a, b) => a.farmPort - b.farmPort);
  }

  async ofApp(app: string): Promise<FarmPort[]> {
    return (await this.list()).filter((one) => one.app === app);
  }

  /** What stands behind a farm port. */
  async get(farmPort: number): Promise<FarmPort | undefined> {
    return (await this.list()).find((one) => one.farmPort === farmPort);
  }
}
