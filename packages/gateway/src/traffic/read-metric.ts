import type { Metric, Registry } from 'prom-client';

export interface Sample {
  readonly labels: Record<string, string | number>;
  readonly value: number;
  /** Where it is not the metric's own: `…_bucket`, `…_sum`, `…_count`. */
  readonly metricName?: string;
}

/** A metric whose numbers are kept elsewhere and read only when somebody asks. */
export function readMetric(registry: Registry, { read, ...described }: { name: string; help: string; type: 'counter' | 'gauge' | 'histogram'; read: () => Sample[] }): void {
  const metric = { ...described, aggregator: 'sum', get: async () => ({ ...described, aggregator: 'sum', values: read() }), reset: () => {} };
  registry.registerMetric(metric as unknown as Metric);
}
