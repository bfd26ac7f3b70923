import { AppRecord, type AppSpec } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import { keys } from './keys.js';
import type { RedisDoor } from './redis-door.js';

export class Apps {
  readonly #door: RedisDoor;

  constructor(door: RedisDoor) {
    this.#door = door;
  }

  /** Deploys: the next version of the app, without a template. @throws FarmError `host-taken`; facts {host, owner} */
  async put(spec: AppSpec, now: number): Promise<AppRecord> {
    const names = [keys.apps, keys.app(spec.name), keys.hosts, keys.versions, keys.routeFeed, keys.routeCounter];
    const answer = (await this.#door.script('put-app', names, [spec.name, JSON.stringify(spec), now, ...spec.hosts])) as ['ok', number] | ['host-taken', string, string];
    if (answer[0] === 'ok') return { spec, version: answer[1], deployedAt: now, template: null };
    const [, host, owner] = answer;
    throw new FarmError('host-taken', `the host name ${host} belongs to the app "${owner}"; choose another, or remove that app`, { facts: { host, owner } });
  }

  async get(name: string): Promise<AppRecord | undefined> {
    return recordOf(await this.#door.do('apps.get', (redis) => redis.hgetall(keys.app(name))));
  }

  /** Sorted by name. */
  async list(): Promise<AppRecord[]> {
    const hashes = await this.#door.do('apps.list', async (redis) => {
      const names = await redis.smembers(keys.apps);
      return Promise.all(names.sort().map((name) => redis.hgetall(keys.app(name))));
    });
    return hashes.map(recordOf).filter((record) => record !== undefined);
  }

  /** Frees its host names; its instances stay until they are stopped. False when there is no such app. */
  async remove(name: string): Promise<boolean> {
    const names = [keys.apps, keys.app(name), keys.hosts, keys.routeFeed, keys.routeCounter];
    return (await this.#door.script('remove-app', names, [name])) === 1;
  }

  /** False when the app is gone or was deployed again since that version: then the template is of no use. */
  async setTemplate(name: string, version: number, image: string | null): Promise<boolean> {
    return (await this.#door.script('set-template', [keys.app(name)], [version, image ?? ''])) === 1;
  }
}

function recordOf(hash: Record<string, string>): AppRecord | undefined {
  if (hash['spec'] === undefined) return undefined;
  return AppRecord.parse({
    spec: JSON.parse(hash['spec']) as unknown,
    version: Number(hash['version']),
    deployedAt: Number(hash['deployedAt']),
    template: hash['template'] || null,
  });
}
