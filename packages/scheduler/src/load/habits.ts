import type { AppName} from '@appshot/protocol';
import { Millis } from '@appshot/protocol';
import type { Logger } from '@appshot/runtime';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { emptyIdleHistory } from '../policy/idle-history.js';
import { redisKeys } from '../redis-keys.js';
import type { SiteMemory } from '../site-notes.js';
import type { TrafficBoard } from './traffic-board.js';

const Habit = z.object({
  idle: z.object({ bins: z.array(z.number()), sums: z.array(z.number()), count: z.number() }),
  lastActiveAt: Millis.nullable(),
  wakeMs: z.number(),
});

const saveEveryMs = 15_000;

/**
 * What was learnt of each app's visitors, kept over a scheduler's end. Schedulers side by side hear the same and learn the
 * same, so it does not matter whose is kept.
 */
export class Habits {
  readonly #redis: Redis;
  readonly #parts: { readonly traffic: TrafficBoard; readonly memory: SiteMemory; readonly apps: () => AppName[]; readonly now: () => Millis; readonly logger: Logger };
  readonly #saved = new Map<AppName, string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(redis: Redis, parts: { traffic: TrafficBoard; memory: SiteMemory; apps: () => AppName[]; now: () => Millis; logger: Logger }) {
    this.#redis = redis;
    this.#parts = parts;
  }

  /** Recalls every app. Call before traffic is heard. */
  async start(): Promise<void> {
    const { traffic, memory, now } = this.#parts;
    for (const [app, json] of Object.entries(await this.#redis.hgetall(redisKeys.habits))) {
      const habit = Habit.safeParse(JSON.parse(json));
      if (!habit.success) continue;
      traffic.recall(app, habit.data, now());
      memory.of(app, now()).wakeMs = habit.data.wakeMs;
      this.#saved.set(app, json);
    }
    this.#timer = setInterval(() => void this.#save(), saveEveryMs);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#save();
  }

  async #save(): Promise<void> {
    const { traffic, memory, apps, now, logger } = this.#parts;
    try {
      const present = new Set(apps());
      for (const app of this.#saved.keys()) if (!present.has(app)) await this.#forget(app);
      for (const app of present) {
        const of = traffic.of(app, now());
        if (of.lastActiveAt === null && of.idleHistory === emptyIdleHistory) continue;
        const json = JSON.stringify({ idle: of.idleHistory, lastActiveAt: of.lastActiveAt, wakeMs: memory.of(app, now()).wakeMs });
        if (this.#saved.get(app) === json) continue;
        await this.#redis.hset(redisKeys.habits, app, json);
        this.#saved.set(app, json);
      }
    } catch (err) {
      logger.debug({ err }, 'habits could not be saved; they are saved with the next');
    }
  }

  async #forget(app: AppName): Promise<void> {
    await this.#redis.hdel(redisKeys.habits, app);
    this.#saved.delete(app);
  }
}
