import type { GatewayResponse } from '../http/gateway-response.js';

/** How a request ended: its status class, or `aborted` when the visitor did not get the whole answer. */
export const outcomes = ['1xx', '2xx', '3xx', '4xx', '5xx', 'aborted'] as const;

/** Upper bounds of the response times told apart, seconds. */
export const responseBounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const;

/**
 * A site's totals for Prometheus, in plain numbers: observing through its client costs more than the rest of the
 * gateway's own work on a request.
 */
export class SiteTally {
  /** Requests that ended, as `outcomes`. */
  readonly ended: number[] = outcomes.map(() => 0);
  /** Responses that began, as `responseBounds` and one for what is longer. */
  readonly began: number[] = new Array<number>(responseBounds.length + 1).fill(0);
  beganSumS = 0;

  /** A response began, milliseconds after its request arrived. */
  begin(ms: number): void {
    const seconds = ms / 1_000;
    let bucket = 0;
    while (bucket < responseBounds.length && seconds > responseBounds[bucket]!) bucket += 1;
    this.began[bucket]! += 1;
    this.beganSumS += seconds;
  }

  end(response: GatewayResponse): void {
    const { statusCode } = response;
    const whole = response.wholeWritten || response.writableFinished || statusCode === 101;
    this.ended[whole ? Math.floor(statusCode / 100) - 1 : outcomes.length - 1]! += 1;
  }
}
