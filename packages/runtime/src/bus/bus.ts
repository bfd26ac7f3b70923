import type { Call, Notice } from '@appshot/protocol';
import type { z } from 'zod';

export type BusStatus = 'connected' | 'disconnected' | 'closed';

export interface Subscription {
  /** Takes nothing more and waits for the handlers that run. */
  stop(): Promise<void>;
}

/** Typed calls and notices over NATS. Both ends validate: a caller what it sends and gets, a server what it gets and answers. */
export interface Bus {
  /** False while NATS is away; the bus reconnects for ever. */
  readonly connected: boolean;

  /**
   * One question, one answer. Waits for the connection while NATS is away, and asks again when it was lost in between:
   * **every call may arrive twice.**
   * @throws FarmError as the other side answered; `unavailable` (nobody serves it, no connection in time, bus closed),
   * `timeout`, `bad-request` (the request does not fit its schema), `internal` (the reply does not).
   */
  call<Q extends z.ZodType, R extends z.ZodType>(call: Call<Q, R>, request: z.input<Q>, options?: { timeoutMs?: number | undefined }): Promise<z.output<R>>;

  /**
   * Answers a call; what the handler throws becomes the caller's FarmError. Handlers run concurrently. With `queue`,
   * each call goes to one of the servers that share the queue's name. Resolves when NATS knows of it (or at once while it is away).
   */
  serve<Q extends z.ZodType, R extends z.ZodType>(
    call: Call<Q, R>,
    handler: (request: z.output<Q>) => Promise<z.input<R>> | z.input<R>,
    options?: { queue?: string | undefined },
  ): Promise<Subscription>;

  /** Tells whoever listens; dropped while NATS is away. @throws FarmError `bad-request` when the body does not fit its schema. */
  publish<B extends z.ZodType>(notice: Notice<B>, body: z.input<B>): void;

  /** Hears notices; what does not fit the schema is logged and dropped, and so is what the handler throws. */
  subscribe<B extends z.ZodType>(
    notice: Notice<B>,
    handler: (body: z.output<B>) => Promise<void> | void,
    options?: { queue?: string | undefined },
  ): Promise<Subscription>;

  /** Asks everybody who serves `subject`, and returns what came within the time; errors and silence are left out. */
  gather(subject: string, withinMs: number): Promise<unknown[]>;

  /** Told of every change from now on; returns how to stop being told. */
  onStatus(listener: (status: BusStatus) => void): () => void;

  /** Serves what it already took, then closes. Ends in seconds also when NATS is away. */
  close(): Promise<void>;
}
