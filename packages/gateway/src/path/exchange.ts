import type { Duplex } from 'node:stream';
import type { Dispatcher } from 'undici';
import { copyResponseHeaders, trailerPairs } from '../headers/response-headers.js';
import type { GatewayResponse } from '../http/gateway-response.js';
import { type ResponseHead, takesWhole, writeWhole } from '../http/write-whole.js';
import type { Connection } from '../site/connection.js';
import type { Lane } from '../site/lane.js';
import type { LanePool } from '../site/lane-pool.js';
import { relayInformational } from './relay-informational.js';
import type { Visit } from './visit.js';

/** What the rest of the request path has to know of an exchange. */
export interface ExchangeOwner {
  /** The response's status and fields are here; `headers` may still be added to. */
  onReply(exchange: Exchange, status: number, headers: string[]): void;
  /** The instance has done its part, or will not; called once for every exchange, however it ended. */
  onEnd(exchange: Exchange): void;
  /** No response, or not the whole of it. Called after `onEnd`; not for what the visitor gave up. */
  onFailure(exchange: Exchange, error: Error): void;
  onTunnel(exchange: Exchange, upgraded: { status: number; headers: string[]; socket: Duplex }): void;
}

/** Bodies up to this size go out in one write together with the header fields; bytes. */
const wholeBytes = 4_096;
const noBody = Buffer.alloc(0);

/**
 * One attempt to have a request answered by one instance: undici calls it as the response arrives, and it writes straight
 * to the visitor, stopping the instance while the visitor is slow. The callbacks are undici 7's raw ones: no header is
 * parsed into an object and no controller is made (ADR 0020).
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly visit: Visit;
  readonly lane: Lane;
  readonly pool: LanePool;
  readonly connection: Connection;
  /** Whether its connection had carried a request before. */
  reused = false;
  /** Whether a byte of the request may have left. */
  sent = false;
  replied = false;
  /** The visitor's response is complete, or given up. */
  finished = false;
  readonly startedAt: number;

  readonly #owner: ExchangeOwner;
  #abort: ((reason?: Error) => void) | undefined;
  #cancelled = false;
  #head: ResponseHead | undefined;
  #resume: (() => void) | undefined;
  #ended = false;
  /** Bytes of the body that are still to come; -1 when nobody said. */
  #left = -1;

  /** Takes a connection of the lane, which is ready, or one on which its request was sent ahead; `end` gives it back. */
  constructor(visit: Visit, lane: Lane, { owner, now, ahead }: { owner: ExchangeOwner; now: number; ahead?: Connection | undefined }) {
    this.visit = visit;
    this.lane = lane;
    this.pool = lane.pool();
    // One that is sent again gets a connection that was not just lying about, like the one that failed it.
    this.connection = ahead !== undefined ? this.pool.adopt(ahead) : this.pool.take(visit.request.replayable && visit.resent === 0, now);
    this.startedAt = now;
    this.#owner = owner;
  }

  /** The visitor is gone: the instance need not go on. */
  cancel(): void {
    if (this.#ended || this.finished) return;
    this.#cancelled = true;
    this.finished = true;
    this.#abort?.();
  }

  /** The response cannot be passed on. */
  giveUp(error: Error): void {
    this.#abort?.(error);
  }

  /** The visitor has read what was written: the instance may go on. */
  drained(): void {
    this.#resume?.();
  }

  /** The instance has done its part, or will not. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#owner.onEnd(this);
  }

  // ---- called by undici ---------------------------------------------------------------------------------------------

  onConnect(abort: (reason?: Error) => void): void {
    this.#abort = abort;
    if (this.#cancelled) return abort();
    this.sent = true;
    this.connection.requests += 1;
    this.reused = this.connection.requests > 1;
  }

  onHeaders(status: number, raw: Buffer[], resume: () => void, statusText: string): boolean {
    const { response } = this.visit;
    if (status < 200) {
      relayInformational(response, this.visit.incoming, { status, raw });
      return true;
    }
    const headers: string[] = [];
    this.#left = copyResponseHeaders(raw, headers);
    this.#resume = resume;
    this.#owner.onReply(this, status, headers);
    this.#head = { status, text: statusText, headers };
    if (this.#left === 0 || status === 204 || status === 304 || this.visit.request.method === 'HEAD') this.#finish(noBody);
    else inThisTurn(this);
    return true;
  }

  onData(chunk: Buffer): boolean {
    if (this.finished) return true;
    const { response } = this.visit;
    if (chunk.length === this.#left) {
      this.#finish(chunk);
      return true;
    }
    if (this.#left > 0) this.#left -= chunk.length;
    this.#beginBody();
    if (response.write(chunk)) return true;
    response.once('drain', onDrain);
    return false;
  }

  onComplete(trailers: (Buffer | string)[] | null): void {
    if (!this.finished) {
      this.#beginBody();
      if (trailers !== null && trailers.length > 0) this.visit.response.addTrailers(trailerPairs(trailers));
      this.#finish(noBody);
    }
    this.end();
  }

  onError(error: Error): void {
    if (!this.#ended && !this.finished) {
      // Ends first: the failure may send the request out again, and this instance has it no more.
      this.finished = true;
      this.end();
      this.#owner.onFailure(this, error);
      return;
    }
    this.end();
  }

  onUpgrade(status: number, raw: Buffer[] | string[] | null, socket: Duplex): void {
    const headers: string[] = [];
    copyResponseHeaders((raw ?? []) as Buffer[], headers);
    this.replied = true;
    this.finished = true;
    this.#owner.onTunnel(this, { status, headers, socket });
  }

  /** The header fields go out by themselves, if they have not yet: their body did not come in the same packet. */
  sendHead(): void {
    if (this.#head === undefined || this.finished) return;
    this.#beginBody();
    this.visit.response.flushHeaders();
  }

  /** Whatever is written next is preceded by the header fields. */
  #beginBody(): void {
    const head = this.#head;
    if (head === undefined || this.finished) return;
    this.#head = undefined;
    this.visit.response.writeHead(head.status, head.text, head.headers);
    this.replied = true;
  }

  #finish(last: Buffer): void {
    const { response } = this.visit;
    const head = this.#head;
    if (head !== undefined && last.length <= wholeBytes && takesWhole(response)) {
      this.finished = true;
      this.replied = true;
      writeWhole(response, head, last);
      return;
    }
    this.#beginBody();
    this.finished = true;
    if (last.length > 0) response.end(last);
    else response.end();
  }
}

/** Responses whose body most likely comes in the same packet: one write less. If it does not, their header fields do not wait for it. */
const headsOfThisTurn: Exchange[] = [];

function inThisTurn(exchange: Exchange): void {
  // One look for all responses that began in this turn of the event loop; nearly all are finished by then.
  if (headsOfThisTurn.push(exchange) === 1) setImmediate(sendHeads);
}

function sendHeads(): void {
  for (const exchange of headsOfThisTurn) {
    try {
      exchange.sendHead();
    } catch (error) {
      // A field that Node refuses. Within undici's callbacks it would have caught this itself.
      exchange.giveUp(error as Error);
    }
  }
  headsOfThisTurn.length = 0;
}

function onDrain(this: GatewayResponse): void {
  this.visit?.exchange?.drained();
}
