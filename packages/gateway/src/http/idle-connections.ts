import type { Server } from 'node:http';
import type { Socket } from 'node:net';

const idleSweeps = Symbol('idleSweeps');
const sweepsToEnd = 4;
/** With how many sweeps found it idle, since its last response or since it came; far below 0 while a response is due. */
type Watched = Socket & { [idleSweeps]?: number };

/** Its response is written; it may wait for the next request. */
export function nowIdle(socket: Socket): void {
  (socket as Watched)[idleSweeps] = 0;
}

export function nowBusy(socket: Socket): void {
  // A small integer like the other: no number is made for it.
  (socket as Watched)[idleSweeps] = -1_000_000_000;
}

/**
 * Closes visitors' connections that have been idle for `keepAliveMs`, or up to a quarter longer. Node would set and
 * clear a timer with every request for that, 4 % of all CPU time; here all are looked at now and then.
 */
export class IdleConnections {
  readonly #keepAliveMs: number;
  readonly #sockets = new Set<Watched>();
  #timer: NodeJS.Timeout | undefined;

  constructor(keepAliveMs: number) {
    this.#keepAliveMs = keepAliveMs;
  }

  watch(server: Server): void {
    server.on('connection', (socket: Socket) => {
      nowIdle(socket);
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  /** An upgraded connection is no HTTP any more. */
  release(socket: Socket): void {
    this.#sockets.delete(socket);
  }

  start(): void {
    this.#timer = setInterval(() => this.#sweep(), Math.max(1, this.#keepAliveMs / sweepsToEnd));
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #sweep(): void {
    for (const socket of this.#sockets) {
      const found = (socket[idleSweeps] ?? 0) + 1;
      socket[idleSweeps] = found;
      // The first sweep may come right after it went idle.
      if (found > sweepsToEnd) socket.destroy();
    }
  }
}
