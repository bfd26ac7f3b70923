import { type Aid, type Endpoint, InstanceRecord, type InstanceState } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import { keys } from './keys.js';
import { statesBefore } from './states-before.js';
import { newOperation, operationMemoryMs, type RedisDoor } from './redis-door.js';

export interface NewInstance {
  aid: Aid;
  app: string;
  version: number;
  node: string;
  state: Exclude<InstanceState, 'gone'>;
  reason: string;
  now: number;
  image?: string | undefined;
  endpoint?: Endpoint | undefined;
  /** Refuse when the app has an instance already, unless that one has failed or is stopping. */
  onlyFirst?: boolean | undefined;
}

export interface Transition {
  aid: Aid;
  /** The states in which the caller may find it. */
  from: readonly InstanceState[];
  to: InstanceState;
  /** The epoch that the caller has read, or none to go by the state alone. */
  epoch?: number | undefined;
  reason: string;
  now: number;
  /** What else becomes known. Null takes a field away. Entering `asleep` takes endpoint, memory and pids away by itself. */
  patch?: InstancePatch | undefined;
}

export interface InstancePatch {
  endpoint?: Endpoint | null | undefined;
  node?: string | undefined;
  image?: string | null | undefined;
  memoryBytes?: number | undefined;
  pids?: number | undefined;
}

export type WakeClaim =
  /** Somebody answers already. */
  | { kind: 'ready'; record: InstanceRecord }
  /** The caller, and nobody else, has to act: restore or unpark what is `restoring` or `unparking` now; nothing more to do where it is `ready` now. */
  | { kind: 'claimed'; record: InstanceRecord }
  /** Somebody else is restoring, launching, cloning or snapshotting it; to claimSleeper, also what is not for that node to wake. */
  | { kind: 'pending'; record: InstanceRecord }
  /** Nothing to wake: launch one. */
  | { kind: 'none' };

export class Instances {
  readonly #door: RedisDoor;

  constructor(door: RedisDoor) {
    this.#door = door;
  }

  /** @throws FarmError `not-found` (no such app), `illegal-transition` (AID in use, or not the first where `onlyFirst`) */
  async create({ now, onlyFirst = false, ...instance }: NewInstance): Promise<InstanceRecord> {
    const { aid, app } = instance;
    const record = InstanceRecord.parse({ ...instance, epoch: 1, since: now });
    const op = newOperation();
    const names = [keys.app(app), keys.aids, keys.instances(app), keys.routeFeed, keys.routeCounter];
    const [kind, json] = (await this.#door.script('create-instance', names, [app, aid, JSON.stringify({ ...record, op }), op, onlyFirst ? 1 : 0])) as [string, string?];
    if (kind === 'ok') return recordOf(json!);
    if (kind === 'no-app') throw new FarmError('not-found', `there is no app "${app}"`);
    if (kind === 'aid-taken') throw new FarmError('illegal-transition', `the AID ${aid} is in use`);
    const other = recordOf(json!);
    throw new FarmError('illegal-transition', `the app "${app}" already has the instance ${other.aid}, which is ${other.state}`, { facts: { aid: other.aid, state: other.state } });
  }

  async get(aid: Aid): Promise<InstanceRecord | undefined> {
    const json = await this.#door.do('instances.get', async (redis) => {
      const app = await redis.hget(keys.aids, aid);
      return app === null ? null : redis.hget(keys.instances(app), aid);
    });
    return json === null ? undefined : recordOf(json);
  }

  /** Oldest first, like all lists of instances. */
  async ofApp(app: string): Promise<InstanceRecord[]> {
    return recordsOf(await this.#door.do('instances.ofApp', (redis) => redis.hvals(keys.instances(app))));
  }

  async onNode(node: string): Promise<InstanceRecord[]> {
    return (await this.list()).filter((record) => record.node === node);
  }

  async list(): Promise<InstanceRecord[]> {
    return recordsOf((await this.#door.script('list-instances', [keys.aids, keys.instancesPrefix])) as string[]);
  }

  /**
   * The one way from state to state: checked against the table of states, the caller's expectation and its epoch;
   * the epoch grows by one, and gateways learn of it. `gone` deletes the record and returns its last form.
   * @throws FarmError `not-found`, `stale-epoch`, `illegal-transition`; facts {aid, state, epoch} as they are
   */
  async transition({ aid, from, to, epoch, reason, now, patch = {} }: Transition): Promise<InstanceRecord> {
    const op = newOperation();
    const names = [keys.aids, keys.instancesPrefix, keys.routeFeed, keys.routeCounter, keys.operation(op)];
    const args = [aid, op, to, from.join(' '), statesBefore(to).join(' '), epoch ?? '', now, reason, JSON.stringify(patch), operationMemoryMs];
    const [kind, json] = (await this.#door.script('transition-instance', names, args)) as [string, string?];
    if (kind === 'ok') return recordOf(json!);
    if (kind === 'not-found') throw new FarmError('not-found', `there is no instance ${aid}`);
    const is = recordOf(json!);
    const facts = { aid, state: is.state, epoch: is.epoch };
    if (kind === 'stale-epoch') throw new FarmError('stale-epoch', `the instance ${aid} is at epoch ${is.epoch}, not ${epoch}: it has changed since`, { facts });
    throw new FarmError('illegal-transition', `the instance ${aid} is ${is.state} and cannot become ${to}; it would have to be ${from.join(' or ')}`, { facts });
  }

  /** Settles who wakes an app: however many ask at once, one is told `claimed`. */
  claimWake(app: string, now: number, reason: string): Promise<WakeClaim> {
    return this.#claim(app, [now, reason]);
  }

  /** The same for the node where it sleeps: claimed is only this instance, asleep there, and only if no other one would do better. */
  claimSleeper({ app, aid, node, now, reason }: { app: string; aid: Aid; node: string; now: number; reason: string }): Promise<WakeClaim> {
    return this.#claim(app, [now, reason, aid, node]);
  }

  async #claim(app: string, args: (string | number)[]): Promise<WakeClaim> {
    const names = [keys.instances(app), keys.routeFeed, keys.routeCounter];
    const [kind, json] = (await this.#door.script('claim-wake', names, [app, newOperation(), ...args])) as [WakeClaim['kind'], string?];
    return kind === 'none' ? { kind } : { kind, record: recordOf(json!) };
  }
}

function recordOf(json: string): InstanceRecord {
  return InstanceRecord.parse(JSON.parse(json));
}

function recordsOf(jsons: string[]): InstanceRecord[] {
  return jsons.map(recordOf).sort((a, b) => (a.aid < b.aid ? -1 : 1));
}
