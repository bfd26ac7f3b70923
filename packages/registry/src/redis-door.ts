import { randomBytes } from 'node:crypto';
import { FarmError, type Logger } from '@appshot/runtime';
import { type Redis, ReplyError } from 'ioredis';
import { loadScripts, type ScriptName } from './load-scripts.js';

type Argument = string | number;
type Scripted = Record<string, (keyCount: number, ...args: Argument[]) => Promise<unknown>>;

/** The one way to Redis: runs scripts and commands, and turns every failure into a FarmError. */
export class RedisDoor {
  readonly redis: Redis;
  readonly logger: Logger;
  readonly #reconnected = new Set<() => void>();

  constructor(redis: Redis, logger: Logger) {
    this.redis = redis;
    this.logger = logger;
  }

  /** Call once, when connected for the first time. */
  start(): void {
    for (const [name, lua] of loadScripts()) this.redis.defineCommand(name, { lua });
    this.redis.on('close', () => this.logger.debug('the connection to Redis closed'));
    this.redis.on('ready', () => {
      this.logger.info('reconnected to Redis');
      for (const listener of this.#reconnected) listener();
    });
  }

  onReconnected(listener: () => void): void {
    this.#reconnected.add(listener);
  }

  /** @throws FarmError `unavailable` or `internal` */
  script(name: ScriptName, keys: readonly string[], args: readonly Argument[] = []): Promise<unknown> {
    return this.do(name, (redis) => (redis as unknown as Scripted)[name]!(keys.length, ...keys, ...args));
  }

  /** @throws FarmError `unavailable` or `internal` */
  async do<T>(what: string, run: (redis: Redis) => Promise<T>): Promise<T> {
    try {
      return await run(this.redis);
    } catch (cause) {
      throw farmErrorOf(what, cause);
    }
  }
}

/**
 * An id for one operation. A command whose answer was lost with the connection is sent again; the script knows by this
 * id that it has run already.
 */
export function newOperation(): string {
  return randomBytes(12).toString('base64url');
}

/** Milliseconds that the answer of an operation is remembered; longer than any command waits. */
export const operationMemoryMs = 120_000;

// Redis is there, but will not do it now: loading its data, busy in a script, a replica, out of memory, its disk full.
const passing = /^(LOADING|BUSY|READONLY|OOM|MISCONF|MASTERDOWN|CLUSTERDOWN|TRYAGAIN)\b/;

function farmErrorOf(what: string, cause: unknown): FarmError {
  if (cause instanceof FarmError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  if (cause instanceof ReplyError && !passing.test(message)) return new FarmError('internal', `Redis refused ${what}: ${message}`, { cause });
  return new FarmError('unavailable', `Redis could not do ${what} now: ${message}`, { cause });
}
