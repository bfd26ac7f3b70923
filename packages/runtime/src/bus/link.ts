import type { NatsConnection } from '@nats-io/transport-node';
import { FarmError } from '../farm-error.js';
import type { Logger } from '../logger.js';
import type { BusStatus } from './bus.js';

/** Milliseconds after a reconnect in which "nobody serves this" may only mean that its server has not reconnected yet. */
const settlingMs = 3_000;

/** Whether NATS is reached, and waiting for that to change. */
export class Link {
  readonly #nats: NatsConnection;
  readonly #logger: Logger;
  readonly #listeners = new Set<(status: BusStatus) => void>();
  #status: BusStatus = 'connected';
  #reconnectedAt = -Infinity;

  constructor(nats: NatsConnection, logger: Logger) {
    this.#nats = nats;
    this.#logger = logger;
  }

  get status(): BusStatus {
    return this.#status;
  }

  /** Others may be slower than we were to come back after an outage. */
  get settling(): boolean {
    return performance.now() - this.#reconnectedAt < settlingMs;
  }

  start(): void {
    void this.#watch();
    void this.#nats.closed().then(() => this.#become('closed'));
  }

  onStatus(listener: (status: BusStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Checks, then waits. @throws FarmError `unavailable` when closed or not connected in time. */
  async whenConnected(withinMs: number): Promise<void> {
    if (this.#status === 'connected') return;
    if (this.#status === 'disconnected' && (await this.#nextStatus(withinMs)) === 'connected') return;
    throw this.#status === 'closed'
      ? new FarmError('unavailable', 'the connection to NATS is closed')
      : new FarmError('unavailable', `NATS could not be reached within ${Math.round(withinMs)} ms`);
  }

  #nextStatus(withinMs: number): Promise<BusStatus | undefined> {
    return new Promise((resolve) => {
      const settle = (status?: BusStatus): void => {
        clearTimeout(timer);
        stop();
        resolve(status);
      };
      const timer = setTimeout(settle, Math.max(0, withinMs));
      const stop = this.onStatus(settle);
    });
  }

  async #watch(): Promise<void> {
    for await (const status of this.#nats.status()) {
      if (status.type === 'disconnect') this.#become('disconnected');
      else if (status.type === 'reconnect') this.#become('connected');
      else if (status.type === 'error') this.#logger.warn({ err: status.error }, 'NATS reported an error');
      else if (status.type === 'slowConsumer') this.#logger.warn({ subject: status.sub.getSubject(), pending: status.pending }, 'slow consumer');
    }
  }

  #become(status: BusStatus): void {
    if (this.#status === status || this.#status === 'closed') return;
    this.#status = status;
    if (status === 'connected') this.#reconnectedAt = performance.now();
    if (status === 'disconnected') this.#logger.warn('lost the connection to NATS; reconnecting');
    if (status === 'connected') this.#logger.info('reconnected to NATS');
    for (const listener of [...this.#listeners]) listener(status);
  }
}
