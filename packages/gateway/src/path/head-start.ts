import type { Endpoint } from '@appshot/protocol';
import type { Dispatcher } from 'undici';
import { Connection, type ConnectionLimits } from '../site/connection.js';
import type { Exchange } from './exchange.js';
import type { PreparedRequest } from './prepare-request.js';
import type { Visit } from './visit.js';

/**
 * A request that is sent to an instance whose wake is begun and not told yet: the connection and the request wait in its kernel while its
 * memory is filled, so that the program finds them as soon as it runs (ADR 0131). What it answers waits here until the instance is said to
 * be back; then an exchange takes over. When nothing comes of it, the request is sent like any other.
 */
export class HeadStart implements Dispatcher.DispatchHandler {
  readonly endpoint: Endpoint;
  readonly connection: Connection;
  /** Whether a byte of the request may have left. */
  sent = false;
  failed = false;
  #exchange: Exchange | undefined;
  #abort: (() => void) | undefined;
  #dropped = false;
  /** What came before an exchange was there to take it; the last says whether more is wanted. */
  readonly #early: ((exchange: Exchange) => boolean)[] = [];
  #resume: (() => void) | undefined;

  constructor(endpoint: Endpoint, limits: ConnectionLimits) {
    this.endpoint = endpoint;
    this.connection = new Connection(endpoint, limits);
  }

  /** @param request one that may be sent twice, without a body */
  begin({ method, path, headers }: PreparedRequest): this {
    this.connection.client.dispatch({ method, path, headers, body: null }, this);
    return this;
  }

  /** Whether what was sent is for the instance that answers there. */
  isFor(endpoint: Endpoint | undefined): boolean {
    return !this.failed && endpoint?.ip === this.endpoint.ip && endpoint.port === this.endpoint.port;
  }

  /** The instance is back: from now on it is this exchange's, which has its connection. */
  handTo(exchange: Exchange): void {
    this.#exchange = exchange;
    if (this.#abort !== undefined) exchange.onConnect(this.#abort);
    const wantsMore = this.#early.map((deliver) => deliver(exchange)).at(-1);
    // Not now: it may be from within another connection's parser that somebody lets this visitor go.
    if (wantsMore === true) queueMicrotask(() => this.#resume?.());
  }

  /** Nobody wants the answer. */
  drop(): void {
    this.#dropped = true;
    this.failed = true;
    this.#abort?.();
    void this.connection.client.destroy().catch(() => undefined);
  }

  // ---- called by undici ---------------------------------------------------------------------------------------------

  onConnect(abort: () => void): void {
    if (this.#dropped) return abort();
    this.sent = true;
    this.#abort = abort;
    this.#exchange?.onConnect(abort);
  }

  onHeaders(status: number, raw: Buffer[], resume: () => void, statusText: string): boolean {
    if (this.#exchange !== undefined) return this.#exchange.onHeaders(status, raw, resume, statusText);
    this.#resume = resume;
    this.#early.push((exchange) => exchange.onHeaders(status, raw, resume, statusText));
    return false;
  }

  onData(chunk: Buffer): boolean {
    if (this.#exchange !== undefined) return this.#exchange.onData(chunk);
    this.#early.push((exchange) => exchange.onData(chunk));
    return false;
  }

  /** A response without a body does not wait to be resumed. */
  onComplete(trailers: (Buffer | string)[] | null): void {
    if (this.#exchange !== undefined) return this.#exchange.onComplete(trailers);
    this.#early.push((exchange) => {
      exchange.onComplete(trailers);
      return false;
    });
  }

  onError(error: Error): void {
    this.failed = true;
    this.#exchange?.onError(error);
  }
}

/** Sends a visitor's request ahead, once. What may not be sent twice is only sent to an instance that is surely there. */
export function sendAhead(visit: Visit, endpoint: Endpoint, limits: ConnectionLimits): void {
  const { headStart, resent, request } = visit;
  if (headStart !== undefined || resent > 0 || !request.replayable || request.upgrade) return;
  visit.headStart = new HeadStart(endpoint, limits).begin(request);
}

/** What was sent ahead, if it was to the instance there; else it is given up, and counts as a first try. */
export function takeHeadStart(visit: Visit, endpoint: Endpoint | undefined): HeadStart | undefined {
  const { headStart } = visit;
  if (headStart === undefined) return undefined;
  visit.headStart = undefined;
  if (headStart.isFor(endpoint)) return headStart;
  if (headStart.sent) visit.resent += 1;
  headStart.drop();
  return undefined;
}
