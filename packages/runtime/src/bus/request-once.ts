import { type Msg, type NatsConnection, errors } from '@nats-io/transport-node';
import type { Link } from './link.js';

/** How one attempt at a call ended. `lost`: the connection went away before the answer came; ask again. */
export type Attempt = { kind: 'reply'; message: Msg } | { kind: 'no-responders' } | { kind: 'timeout' } | { kind: 'lost' } | { kind: 'failed'; error: unknown };

export interface Ask {
  subject: string;
  payload: string;
  timeoutMs: number;
}

export function requestOnce(nats: NatsConnection, link: Link, ask: Ask): Promise<Attempt> {
  // NATS does not fail a request when its connection goes: unwatched, it would wait for its whole timeout.
  return new Promise((resolve) => {
    const settle = (attempt: Attempt): void => {
      stop();
      resolve(attempt);
    };
    const stop = link.onStatus((status) => {
      if (status !== 'connected') settle({ kind: 'lost' });
    });
    nats.request(ask.subject, ask.payload, { timeout: ask.timeoutMs }).then(
      (message) => settle({ kind: 'reply', message }),
      (error: unknown) => settle(attemptOf(error)),
    );
  });
}

function attemptOf(error: unknown): Attempt {
  if (error instanceof errors.TimeoutError) return { kind: 'timeout' };
  if (error instanceof errors.NoRespondersError) return { kind: 'no-responders' };
  if (error instanceof errors.RequestError && error.isNoResponders()) return { kind: 'no-responders' };
  if (error instanceof errors.ClosedConnectionError || error instanceof errors.DrainingConnectionError) return { kind: 'lost' };
  return { kind: 'failed', error };
}
