import { setTimeout as delay } from 'node:timers/promises';
import type { Call, Notice } from '@appshot/protocol';
import type { Msg, NatsConnection } from '@nats-io/transport-node';
import type { z } from 'zod';
import { FarmError } from '../farm-error.js';
import type { Logger } from '../logger.js';
import { settleWithin } from '../settle-within.js';
import type { Bus, BusStatus, Subscription } from './bus.js';
import type { Link } from './link.js';
import { requestOnce } from './request-once.js';
import { errorEnvelope, okEnvelope, openEnvelope, parseAs, parseJson } from './wire.js';

/** Milliseconds that closing waits for handlers that run, and for NATS to take what was written. */
const drainWithinMs = 5_000;
const retryMs = 100;

export class NatsBus implements Bus {
  readonly #nats: NatsConnection;
  readonly #link: Link;
  readonly #logger: Logger;
  readonly #subscriptions = new Set<Subscription>();

  constructor(nats: NatsConnection, link: Link, logger: Logger) {
    this.#nats = nats;
    this.#link = link;
    this.#logger = logger;
  }

  get connected(): boolean {
    return this.#link.status === 'connected';
  }

  onStatus(listener: (status: BusStatus) => void): () => void {
    return this.#link.onStatus(listener);
  }

  async call<Q extends z.ZodType, R extends z.ZodType>(call: Call<Q, R>, request: z.input<Q>, options: { timeoutMs?: number | undefined } = {}): Promise<z.output<R>> {
    const { subject } = call;
    const payload = JSON.stringify(parseAs(call.request, request, 'bad-request', `the request to ${subject}`));
    const reply = await this.#ask(subject, payload, options.timeoutMs ?? call.timeoutMs);
    return parseAs(call.reply, openEnvelope(reply.string(), subject), 'internal', `the reply to ${subject}`);
  }

  async #ask(subject: string, payload: string, timeoutMs: number): Promise<Msg> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const leftMs = Math.ceil(deadline - performance.now());
      if (leftMs <= 0) throw new FarmError('timeout', `${subject} did not answer within ${timeoutMs} ms`);
      await this.#link.whenConnected(leftMs);
      const attempt = await requestOnce(this.#nats, this.#link, { subject, payload, timeoutMs: leftMs });
      switch (attempt.kind) {
        case 'reply':
          return attempt.message;
        case 'timeout':
          throw new FarmError('timeout', `${subject} did not answer within ${timeoutMs} ms`);
        case 'failed':
          throw new FarmError('unavailable', `${subject} could not be asked: ${String(attempt.error)}`, { cause: attempt.error });
        case 'no-responders':
          if (!this.#link.settling || leftMs <= retryMs) throw new FarmError('unavailable', `nobody serves ${subject} now`);
          await delay(retryMs);
          break;
        case 'lost':
          // Gives the status, which arrives by an iterator of its own, its turn: without it this would spin.
          await delay(1);
          break;
      }
    }
  }

  async serve<Q extends z.ZodType, R extends z.ZodType>(
    call: Call<Q, R>,
    handler: (request: z.output<Q>) => Promise<z.input<R>> | z.input<R>,
    options: { queue?: string | undefined } = {},
  ): Promise<Subscription> {
    const answer = async (message: Msg): Promise<string> => {
      const request = parseAs(call.request, parseJson(message.string(), 'the request'), 'bad-request', 'the request');
      return okEnvelope(parseAs(call.reply, await handler(request), 'internal', 'the reply'));
    };
    return this.#listen(call.subject, options.queue, async (message) => {
      const reply = await answer(message).catch((error: unknown) => this.#refusal(call.subject, error));
      await this.#respond(message, reply);
    });
  }

  #refusal(subject: string, thrown: unknown): string {
    const error = FarmError.from(thrown);
    if (error.code === 'internal') this.#logger.error({ err: thrown, subject }, 'a handler failed');
    return errorEnvelope(error);
  }

  async #respond(message: Msg, reply: string): Promise<void> {
    if (!message.reply) return;
    // What is written while NATS is away is thrown away by its client; the caller may still be waiting when it is back.
    await this.#link.whenConnected(drainWithinMs);
    try {
      message.respond(reply);
    } catch (cause) {
      const error = new FarmError('internal', `the reply of ${message.subject} could not be sent: ${(cause as Error).message}`, { cause, facts: { bytes: reply.length } });
      message.respond(errorEnvelope(error));
    }
  }

  publish<B extends z.ZodType>(notice: Notice<B>, body: z.input<B>): void {
    const valid = parseAs(notice.body, body, 'bad-request', `the notice ${notice.subject}`);
    if (this.connected) this.#nats.publish(notice.subject, JSON.stringify(valid));
  }

  async subscribe<B extends z.ZodType>(
    notice: Notice<B>,
    handler: (body: z.output<B>) => Promise<void> | void,
    options: { queue?: string | undefined } = {},
  ): Promise<Subscription> {
    return this.#listen(notice.subject, options.queue, async (message) => {
      await handler(parseAs(notice.body, parseJson(message.string(), 'the notice'), 'bad-request', 'the notice'));
    });
  }

  /** Every message to `handle`, concurrently; what it throws is logged. */
  async #listen(subject: string, queue: string | undefined, handle: (message: Msg) => Promise<void>): Promise<Subscription> {
    const running = new Set<Promise<void>>();
    const take = (error: Error | null, message: Msg): void => {
      if (error) return this.#logger.error({ err: error, subject }, 'a subscription failed');
      const work = handle(message)
        .catch((err: unknown) => this.#logger.error({ err, subject }, 'a message could not be handled'))
        .finally(() => running.delete(work));
      running.add(work);
    };
    const inner = this.#nats.subscribe(subject, { ...(queue !== undefined && { queue }), callback: take });
    const subscription: Subscription = {
      stop: async () => {
        if (!this.#subscriptions.delete(subscription)) return;
        if (this.connected) await settleWithin(() => inner.drain(), drainWithinMs);
        else if (!inner.isClosed()) inner.unsubscribe();
        while (running.size > 0) await Promise.all(running);
      },
    };
    this.#subscriptions.add(subscription);
    if (this.connected) await settleWithin(() => this.#nats.flush(), drainWithinMs);
    return subscription;
  }

  async gather(subject: string, withinMs: number): Promise<unknown[]> {
    if (!this.connected) return [];
    const values: unknown[] = [];
    const take = (message: Msg): void => {
      try {
        values.push(openEnvelope(message.string(), subject));
      } catch (err) {
        this.#logger.warn({ err, subject }, 'a gathered answer is left out');
      }
    };
    try {
      for await (const message of await this.#nats.requestMany(subject, '{}', { strategy: 'timer', maxWait: withinMs })) take(message);
    } catch (err) {
      // Nobody serves it, or the connection went.
      this.#logger.debug({ err, subject }, 'gathering ended early');
    }
    return values;
  }

  async close(): Promise<void> {
    const stopped = Promise.all([...this.#subscriptions].map((subscription) => subscription.stop()));
    await settleWithin(() => stopped, drainWithinMs);
    if (this.connected) await settleWithin(() => this.#nats.drain(), drainWithinMs);
    if (!this.#nats.isClosed()) await settleWithin(() => this.#nats.close(), drainWithinMs);
  }
}
