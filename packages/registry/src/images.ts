import { ImageRecord } from '@appshot/protocol';
import { keys } from './keys.js';
import type { RedisDoor } from './redis-door.js';

export class Images {
  readonly #door: RedisDoor;

  constructor(door: RedisDoor) {
    this.#door = door;
  }

  async put(image: ImageRecord): Promise<void> {
    await this.#door.do('images.put', (redis) => redis.hset(keys.images, image.id, JSON.stringify(image)));
  }

  async get(id: string): Promise<ImageRecord | undefined> {
    const json = await this.#door.do('images.get', (redis) => redis.hget(keys.images, id));
    return json === null ? undefined : recordOf(json);
  }

  /** Oldest first. */
  async list(): Promise<ImageRecord[]> {
    const jsons = await this.#door.do('images.list', (redis) => redis.hvals(keys.images));
    return jsons.map(recordOf).sort((a, b) => a.createdAt - b.createdAt);
  }

  async ofApp(app: string): Promise<ImageRecord[]> {
    return (await this.list()).filter((image) => image.app === app);
  }

  /** False when there was none. */
  async remove(id: string): Promise<boolean> {
    return (await this.#door.do('images.remove', (redis) => redis.hdel(keys.images, id))) === 1;
  }
}

function recordOf(json: string): ImageRecord {
  return ImageRecord.parse(JSON.parse(json));
}
