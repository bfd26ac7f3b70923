import { setTimeout as delay } from 'node:timers/promises';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { FarmError } from '../farm-error.js';
import type { Logger } from '../logger.js';
import type { Bus } from './bus.js';
import { Link } from './link.js';
import { NatsBus } from './nats-bus.js';

export interface ConnectBusOptions {
  /** `nats://[user:password@]host:port` */
  url: string;
  /** The client's name, as NATS shows it. */
  name: string;
  logger: Logger;
  /** Milliseconds to wait for NATS at the start; later it is waited for without end. */
  withinMs?: number;
}

/** @throws FarmError `unavailable` when NATS cannot be reached in time, `bad-request` when the URL is none. */
export async function connectBus({ url, name, logger, withinMs = 10_000 }: ConnectBusOptions): Promise<Bus> {
  const nats = await dial(url, name, withinMs);
  const link = new Link(nats, logger);
  link.start();
  return new NatsBus(nats, link, logger);
}

async function dial(url: string, name: string, withinMs: number): Promise<NatsConnection> {
  const server = serverOf(url);
  const deadline = performance.now() + withinMs;
  for (;;) {
    try {
      return await connect({
        ...server,
        name,
        timeout: 5_000,
        maxReconnectAttempts: -1,
        ignoreAuthErrorAbort: true,
        reconnectTimeWait: 200,
        reconnectJitter: 100,
        pingInterval: 10_000,
        noAsyncTraces: true,
        ignoreClusterUpdates: false,
      });
    } catch (cause) {
      if (performance.now() >= deadline) throw new FarmError('unavailable', `NATS at ${server.servers} cannot be reached: ${(cause as Error).message}`, { cause });
      await delay(200);
    }
  }
}

function serverOf(url: string): { servers: string; user?: string; pass?: string } {
  if (!URL.canParse(url)) throw new FarmError('bad-request', 'the URL of NATS is none; write nats://HOST:PORT');
  const { host, username, password } = new URL(url);
  return { servers: host, ...(username && { user: decodeURIComponent(username), pass: decodeURIComponent(password) }) };
}
