import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** The labels that metrics may have: all bounded. Never a path, a URL or an AID. */
export type LabelName = 'app' | 'node' | 'state' | 'phase' | 'how' | 'outcome' | 'code' | 'type';

export interface MetricOptions {
  name: string;
  help: string;
  labels?: readonly LabelName[];
}

/** Buckets for times from a warm clone to a cold start, in seconds as Prometheus wants them. */
export const secondsBuckets = [0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30];

/** One role's metrics; every one is labelled with `role` and `id`. */
export class Metrics {
  readonly role: string;
  readonly id: string;
  readonly registry: Registry;

  constructor(role: string, id: string, registry: Registry) {
    this.role = role;
    this.id = id;
    this.registry = registry;
  }

  counter({ name, help, labels = [] }: MetricOptions): Counter<LabelName> {
    return new Counter({ name, help, labelNames: [...labels], registers: [this.registry] });
  }

  /** `collect` is called just before each reading; it may set the gauge. */
  gauge({ name, help, labels = [], collect }: MetricOptions & { collect?: (gauge: Gauge<LabelName>) => void | Promise<void> }): Gauge<LabelName> {
    return new Gauge({
      name, help, labelNames: [...labels], registers: [this.registry],
      ...(collect && { collect(this: Gauge<LabelName>) { return collect(this); } }),
    });
  }

  /** Observe seconds. */
  histogram({ name, help, labels = [], buckets = secondsBuckets }: MetricOptions & { buckets?: number[] }): Histogram<LabelName> {
    return new Histogram({ name, help, labelNames: [...labels], buckets, registers: [this.registry] });
  }
}

/** Starts a role's metrics with what every process has: its memory and its CPU time. */
export function createMetrics(role: string, id: string): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ role, id });
  const metrics = new Metrics(role, id, registry);
  metrics.gauge({
    name: 'appshot_process_resident_bytes', help: 'Resident memory of the role\'s process.',
    collect: (gauge) => gauge.set(process.memoryUsage.rss()),
  });
  metrics.gauge({
    name: 'appshot_process_cpu_seconds_total', help: 'CPU time of the role\'s process.',
    collect: (gauge) => gauge.set((process.cpuUsage().user + process.cpuUsage().system) / 1e6),
  });
  return metrics;
}
