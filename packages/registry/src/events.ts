import { setTimeout as delay } from 'node:timers/promises';
import { FarmEvent } from '@appshot/protocol';
import { keys } from './keys.js';
import type { RedisDoor } from './redis-door.js';
import { fieldsOf, type StreamEntry, StreamFollower } from './stream-follower.js';
import { untilAborted } from './until-aborted.js';

/** An event and its place in the history: ids grow, and work as `after`. */
export interface StoredEvent {
  id: string;
  event: FarmEvent;
}

const keptEvents = 10_000;
const retryMs = 250;

/** The history of the farm; about the last 10,000 events are kept. */
export class Events {
  readonly #door: RedisDoor;

  constructor(door: RedisDoor) {
    this.#door = door;
  }

  /** Returns the event's id. */
  async append(event: FarmEvent): Promise<string> {
    const json = JSON.stringify(FarmEvent.parse(event));
    return (await this.#door.do('events.append', (redis) => redis.xadd(keys.events, 'MAXLEN', '~', keptEvents, '*', 'e', json)))!;
  }

  /** In the order in which they happened: the first `count` after an id, or the last `count` of all. */
  async read({ after, count = 100 }: { after?: string | undefined; count?: number | undefined } = {}): Promise<StoredEvent[]> {
    const entries = await this.#door.do('events.read', async (redis) =>
      after === undefined ? (await redis.xrevrange(keys.events, '+', '-', 'COUNT', count)).reverse() : redis.xrange(keys.events, `(${after}`, '+', 'COUNT', count));
    return entries.flatMap(([id, flat]) => storedOf({ id, fields: fieldsOf(flat) }));
  }

  /** Tells every event after an id (undefined: from now on) until `signal` is aborted; then resolves. Goes on where it was when Redis was away. */
  async follow(after: string | undefined, onEvent: (event: FarmEvent, id: string) => void, signal: AbortSignal): Promise<void> {
    const follower = new StreamFollower(this.#door.redis, keys.events);
    follower.start((err) => this.#door.logger.debug({ err }, 'event connection'));
    try {
      await untilAborted(signal, () => this.#follow(follower, after, { onEvent, signal }));
    } finally {
      follower.close();
    }
  }

  async #follow(follower: StreamFollower, after: string | undefined, { onEvent, signal }: { onEvent: (event: FarmEvent, id: string) => void; signal: AbortSignal }): Promise<void> {
    let last = after;
    while (!signal.aborted) {
      try {
        last ??= await this.#newest();
        for (const entry of await follower.read(last)) {
          if (signal.aborted) return;
          last = entry.id;
          for (const { id, event } of storedOf(entry)) onEvent(event, id);
        }
      } catch (err) {
        if (signal.aborted) return;
        this.#door.logger.debug({ err }, 'following events again');
        await delay(retryMs);
      }
    }
  }

  async #newest(): Promise<string> {
    const [newest] = await this.#door.do('events.follow', (redis) => redis.xrevrange(keys.events, '+', '-', 'COUNT', 1));
    return newest?.[0] ?? '0-0';
  }
}

/** None for an entry that a newer or broken farm wrote: one bad line does not end a history. */
function storedOf({ id, fields }: StreamEntry): StoredEvent[] {
  try {
    return [{ id, event: FarmEvent.parse(JSON.parse(fields['e'] ?? '')) }];
  } catch {
    return [];
  }
}
