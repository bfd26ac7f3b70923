import type { Phases } from '@appshot/protocol';
import type { Metrics } from '@appshot/runtime';
import type { Counter, Histogram } from 'prom-client';
import type { Site } from './site/site.js';
import { readMetric, type Sample } from './traffic/read-metric.js';
import { outcomes, responseBounds } from './traffic/site-tally.js';

/** What a gateway tells Prometheus. What happens with every request is tallied at its site and read from there. */
export class GatewayMetrics {
  readonly #wakeTime: Histogram<'phase'>;
  readonly #upstreamFailures: Counter<'app' | 'code'>;

  constructor(metrics: Metrics, sites: () => Iterable<Site>, connections: (site: Site) => number) {
    const each = (samples: (site: Site) => Sample[]) => () => [...sites()].flatMap(samples);
    readMetric(metrics.registry, { name: 'appshot_gateway_requests_total', help: 'Requests that ended, by app and status class.', type: 'counter', read: each(endedSamples) });
    readMetric(metrics.registry, { name: responseTime, help: 'From arrival to the first byte of the response.', type: 'histogram', read: each(beganSamples) });
    readMetric(metrics.registry, { name: 'appshot_gateway_in_flight', help: 'Requests from arrival to last byte, held ones counted.', type: 'gauge', read: each((site) => [{ labels: { app: site.app }, value: site.inFlight }]) });
    readMetric(metrics.registry, { name: 'appshot_gateway_held', help: 'Requests that wait for an instance.', type: 'gauge', read: each((site) => [{ labels: { app: site.app }, value: site.held.size }]) });
    readMetric(metrics.registry, { name: 'appshot_gateway_connections', help: 'Connections to exposed ports, held ones counted.', type: 'gauge', read: each((site) => [{ labels: { app: site.app }, value: connections(site) }]) });
    this.#wakeTime = metrics.histogram({ name: 'appshot_gateway_wake_seconds', help: 'Phases of wakes that a request waited for; `call` is the whole of it as the gateway saw it.', labels: ['phase'] });
    this.#upstreamFailures = metrics.counter({ name: 'appshot_gateway_upstream_failures_total', help: 'Attempts that an instance failed, by the error\'s code.', labels: ['app', 'code'] });
  }

  /** `phases` in milliseconds. Not by app: a histogram for each phase of each site would be most of what a gateway keeps of a sleeping one. */
  woken(phases: Phases): void {
    for (const [phase, ms] of Object.entries(phases)) this.#wakeTime.observe({ phase }, ms / 1_000);
  }

  upstreamFailed(app: string, code: string): void {
    this.#upstreamFailures.inc({ app, code });
  }
}

const responseTime = 'appshot_gateway_response_seconds';

function endedSamples({ app, counted }: Site): Sample[] {
  return outcomes.map((code, at) => ({ labels: { app, code }, value: counted.ended[at]! }));
}

function beganSamples({ app, counted }: Site): Sample[] {
  let count = 0;
  const buckets = counted.began.map((value, at) => ({ metricName: `${responseTime}_bucket`, labels: { le: responseBounds[at] ?? '+Inf', app }, value: (count += value) }));
  return [...buckets, { metricName: `${responseTime}_sum`, labels: { app }, value: counted.beganSumS }, { metricName: `${responseTime}_count`, labels: { app }, value: count }];
}
