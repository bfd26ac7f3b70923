import type { Endpoint } from '@appshot/protocol';
import { Connection, type ConnectionLimits } from './connection.js';

/**
 * The kept-alive connections to one instance: the one used last is used next, so that those too many close by themselves.
 * As many as requests are in flight, which the instance's concurrency bounds.
 */
export class LanePool {
  readonly #endpoint: Endpoint;
  readonly #limits: ConnectionLimits;
  readonly #freshAfterIdleMs: number;
  readonly #free: Connection[] = [];
  readonly #closing: Promise<void>[] = [];
  #inUse = 0;
  #whenClosed: { promise: Promise<void>; resolve: () => void } | undefined;

  constructor(endpoint: Endpoint, limits: ConnectionLimits & { readonly freshAfterIdleMs: number }) {
    this.#endpoint = endpoint;
    this.#limits = limits;
    this.#freshAfterIdleMs = limits.freshAfterIdleMs;
  }

  /** @param replayable whether the request may be sent a second time when the connection turns out to be just closing */
  take(replayable: boolean, now: number): Connection {
    this.#inUse += 1;
    const top = this.#free.at(-1);
    if (top === undefined || (!replayable && now - top.lastUsedAt > this.#freshAfterIdleMs)) return new Connection(this.#endpoint, this.#limits);
    this.#free.length -= 1;
    return top;
  }

  /** One that was made before the instance was there, and carries a request. */
  adopt(connection: Connection): Connection {
    this.#inUse += 1;
    return connection;
  }

  /** The request on it is over. Its client closes it by itself when it can carry no other. */
  giveBack(connection: Connection): void {
    this.#inUse -= 1;
    if (this.#whenClosed === undefined) {
      this.#free.push(connection);
      return;
    }
    this.#end(connection);
    this.#settle();
  }

  /** Closes what is idle at once and the rest as its requests end; resolves when no TCP connection of the pool is open. */
  close(): Promise<void> {
    if (this.#whenClosed === undefined) {
      let resolve = (): void => {};
      const promise = new Promise<void>((done) => (resolve = done));
      this.#whenClosed = { promise, resolve };
      for (const connection of this.#free.splice(0)) this.#end(connection);
      this.#settle();
    }
    return this.#whenClosed.promise;
  }

  #end(connection: Connection): void {
    // Not destroy(): inside the client's own callback that would fail the request that is just ending.
    this.#closing.push(connection.client.close());
  }

  #settle(): void {
    const whenClosed = this.#whenClosed;
    if (whenClosed === undefined || this.#inUse > 0) return;
    void Promise.allSettled(this.#closing).then(whenClosed.resolve);
  }
}
