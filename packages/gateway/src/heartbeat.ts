import { setTimeout as delay } from 'node:timers/promises';
import type { Registry } from '@appshot/registry';
import type { Logger } from '@appshot/runtime';

export interface HeartbeatOptions {
  /** This gateway's name. */
  readonly id: string;
  readonly heartbeatEveryMs: number;
}

/** Keeps the gateway among those that are asked before an instance sleeps. One at a time: Redis may be away for long. */
export class Heartbeat {
  readonly #registry: Registry;
  readonly #options: HeartbeatOptions;
  readonly #logger: Logger;
  readonly #ended = new AbortController();
  #beating: Promise<void> | undefined;

  constructor(registry: Registry, options: HeartbeatOptions, logger: Logger) {
    this.#registry = registry;
    this.#options = options;
    this.#logger = logger;
  }

  /** Resolves after the first: no request may be taken by a gateway that nobody would ask. */
  async start(): Promise<void> {
    await this.#registry.gateways.heartbeat(this.#options.id, Date.now());
    this.#beating = this.#beat();
  }

  async close(): Promise<void> {
    this.#ended.abort();
    await this.#beating;
    await this.#registry.gateways.leave(this.#options.id).catch((err: unknown) => this.#logger.warn({ err }, 'the farm was not told of the end'));
  }

  async #beat(): Promise<void> {
    const { signal } = this.#ended;
    for (;;) {
      await delay(this.#options.heartbeatEveryMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      await this.#registry.gateways.heartbeat(this.#options.id, Date.now()).catch((err: unknown) => this.#logger.warn({ err }, 'no heartbeat'));
    }
  }
}
