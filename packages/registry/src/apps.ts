import { type AppRecord, type AppSpec, AppTrial, type AppVersion } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import { keys } from './keys.js';
import type { RedisDoor } from './redis-door.js';
import type { SpecReader } from './spec-reader.js';

export class Apps {
  readonly #door: RedisDoor;
  readonly #specs: SpecReader;

  constructor(door: RedisDoor, specs: SpecReader) {
    this.#door = door;
    this.#specs = specs;
  }

  /** A version for what will be put or tried later: instances of it may run before. */
  async nextVersion(name: string): Promise<number> {
    return this.#door.do('apps.nextVersion', (redis) => redis.hincrby(keys.versions, name, 1));
  }

  /**
   * Makes a specification the app's current version: the next one, without a template, or the one that was taken for it.
   * What was current becomes `previous`, and a trial is over.
   * @throws FarmError `host-taken`; facts {host, owner}
   */
  async put(spec: AppSpec, now: number, made: { version: number; template: string | null } | null = null): Promise<AppRecord> {
    const names = [keys.apps, keys.app(spec.name), keys.hosts, keys.versions, keys.routeFeed, keys.routeCounter];
    const args = [spec.name, JSON.stringify(spec), now, made?.version ?? '', made?.template ?? '', ...spec.hosts];
    const answer = (await this.#door.script('put-app', names, args)) as ['ok', number] | ['host-taken', string, string];
    if (answer[0] === 'ok') {
      const record = await this.get(spec.name);
      if (record === undefined) throw new FarmError('not-found', `the app "${spec.name}" was removed while it was being deployed`);
      return record;
    }
    const [, host, owner] = answer;
    throw new FarmError('host-taken', `the host name ${host} belongs to the app "${owner}"; choose another, or remove that app`, { facts: { host, owner } });
  }

  /** False when the app is gone, or another version is current by now. */
  async setTrial(name: string, beside: number, trial: AppTrial | null): Promise<boolean> {
    const names = [keys.app(name), keys.routeFeed, keys.routeCounter];
    return (await this.#door.script('set-trial', names, [name, beside, trial === null ? '' : JSON.stringify(trial)])) === 1;
  }

  async get(name: string): Promise<AppRecord | undefined> {
    return this.#recordOf(name, await this.#door.do('apps.get', (redis) => redis.hgetall(keys.app(name))));
  }

  /** Sorted by name. */
  async list(): Promise<AppRecord[]> {
    const hashes = await this.#door.do('apps.list', async (redis) => {
      const names = await redis.smembers(keys.apps);
      return Promise.all(names.sort().map(async (name) => ({ name, hash: await redis.hgetall(keys.app(name)) })));
    });
    return hashes.map(({ name, hash }) => this.#recordOf(name, hash)).filter((record) => record !== undefined);
  }

  /** Frees its host names and farm ports; its instances stay until they are stopped. False when there is no such app. */
  async remove(name: string): Promise<boolean> {
    const names = [keys.apps, keys.app(name), keys.hosts, keys.routeFeed, keys.routeCounter, keys.farmPorts];
    return (await this.#door.script('remove-app', names, [name])) === 1;
  }

  /** False when the app is gone or was deployed again since that version: then the template is of no use. */
  async setTemplate(name: string, version: number, image: string | null): Promise<boolean> {
    return (await this.#door.script('set-template', [keys.app(name), keys.routeFeed, keys.routeCounter], [name, version, image ?? ''])) === 1;
  }

  #recordOf(name: string, hash: Record<string, string>): AppRecord | undefined {
    if (hash['spec'] === undefined) {
      this.#specs.forget(name);
      return undefined;
    }
    return {
      spec: this.#specs.read(name, hash['spec']),
      version: Number(hash['version']),
      deployedAt: Number(hash['deployedAt']),
      template: hash['template'] || null,
      previous: hash['previous'] ? this.#previousOf(name, hash['previous'], hash['previousSpec']!) : null,
      trial: hash['trial'] ? AppTrial.parse(JSON.parse(hash['trial'])) : null,
    };
  }

  #previousOf(name: string, json: string, spec: string): AppVersion {
    const { version, deployedAt, template } = JSON.parse(json) as Record<string, string>;
    // In a Redis hash, an empty text stands for none.
    return { spec: this.#specs.read(name, spec, 'previous'), version: Number(version), deployedAt: Number(deployedAt), template: template || null };
  }
}
