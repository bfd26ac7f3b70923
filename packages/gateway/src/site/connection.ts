import { Client } from 'undici';
import type { Endpoint } from '@appshot/protocol';

/** Limits of a connection to an instance; as in the gateway's configuration. */
export interface ConnectionLimits {
  readonly maxHeaderBytes: number;
  readonly connectWithinMs: number;
  readonly responseWithinMs: number;
  readonly silentMs: number;
  readonly idleConnectionMs: number;
}

/** One connection to an instance, made anew by its client whenever it is needed and closed; one request at a time. */
export class Connection {
  readonly client: Client;
  /** When its last response began; by `performance.now()`. */
  lastUsedAt = 0;
  /** Requests on the TCP connection that is open now. */
  requests = 0;

  constructor({ ip, port }: Endpoint, limits: ConnectionLimits) {
    this.client = new Client(`http://${ip}:${port}`, {
      // Never used: the pool gives a connection one request at a time. With 1 the client adds a turn of the event loop
      // and an event to every request, to be sure of what the pool already is.
      pipelining: 2,
      maxHeaderSize: limits.maxHeaderBytes,
      connectTimeout: limits.connectWithinMs,
      headersTimeout: limits.responseWithinMs,
      bodyTimeout: limits.silentMs,
      keepAliveTimeout: limits.idleConnectionMs,
      keepAliveMaxTimeout: limits.idleConnectionMs,
    });
    this.client.on('connect', () => (this.requests = 0));
  }
}
