import type { ServerResponse } from 'node:http';
import type { Phases } from '@appshot/protocol';
import type { Metrics } from '@appshot/runtime';
import { Counter, type Histogram } from 'prom-client';
import type { Site } from './site/site.js';

/** How a request ended: its status class, or `aborted` when the visitor did not get the whole answer. */
const outcomes = ['1xx', '2xx', '3xx', '4xx', '5xx', 'aborted'] as const;

/** What a gateway tells Prometheus. Requests are tallied in plain numbers and told when somebody reads. */
export class GatewayMetrics {
  readonly #tallies = new Map<string, number[]>();
  readonly #requests: Counter<'app' | 'code'>;
  readonly #responseTime: Histogram<'app'>;
  readonly #wakeTime: Histogram<'app' | 'phase'>;
  readonly #upstreamFailures: Counter<'app' | 'code'>;

  constructor(metrics: Metrics, sites: () => Iterable<Site>) {
    const flush = (): void => this.#flush();
    this.#requests = new Counter({
      name: 'appshot_gateway_requests_total', help: 'Requests that ended, by app and status class.',
      labelNames: ['app', 'code'], registers: [metrics.registry], collect: flush,
    });
    metrics.gauge({ name: 'appshot_gateway_in_flight', help: 'Requests from arrival to last byte, held ones counted.', labels: ['app'], collect: (gauge) => {
      gauge.reset();
      for (const site of sites()) gauge.set({ app: site.app }, site.inFlight);
    } });
    metrics.gauge({ name: 'appshot_gateway_held', help: 'Requests that wait for an instance.', labels: ['app'], collect: (gauge) => {
      gauge.reset();
      for (const site of sites()) gauge.set({ app: site.app }, site.held.size);
    } });
    this.#responseTime = metrics.histogram({ name: 'appshot_gateway_response_seconds', help: 'From arrival to the first byte of the response.', labels: ['app'] });
    this.#wakeTime = metrics.histogram({ name: 'appshot_gateway_wake_seconds', help: 'Phases of wakes that a request waited for; `call` is the whole call as the gateway saw it.', labels: ['app', 'phase'] });
    this.#upstreamFailures = metrics.counter({ name: 'appshot_gateway_upstream_failures_total', help: 'Attempts that an instance failed, by the error\'s code.', labels: ['app', 'code'] });
  }

  /** A response began, milliseconds after its request arrived. */
  replied(app: string, ms: number): void {
    this.#responseTime.observe({ app }, ms / 1_000);
  }

  left(app: string, response: ServerResponse): void {
    let tally = this.#tallies.get(app);
    if (tally === undefined) this.#tallies.set(app, (tally = outcomes.map(() => 0)));
    const whole = response.writableFinished || response.statusCode === 101;
    tally[whole ? Math.floor(response.statusCode / 100) - 1 : outcomes.length - 1]! += 1;
  }

  /** `phases` in milliseconds. */
  woken(app: string, phases: Phases): void {
    for (const [phase, ms] of Object.entries(phases)) this.#wakeTime.observe({ app, phase }, ms / 1_000);
  }

  upstreamFailed(app: string, code: string): void {
    this.#upstreamFailures.inc({ app, code });
  }

  #flush(): void {
    for (const [app, tally] of this.#tallies) {
      outcomes.forEach((code, at) => tally[at]! > 0 && this.#requests.inc({ app, code }, tally[at]!));
    }
    this.#tallies.clear();
  }
}
