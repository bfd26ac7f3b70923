import { AggregatorRegistry, type MetricObject } from 'prom-client';
import type { Call } from '@appshot/protocol';
import { z } from 'zod';
import type { Bus, Subscription } from '../bus/bus.js';
import type { Metrics } from './metrics.js';

/** Asks every role for its metrics; each answers with prom-client's JSON. */
const readMetrics = {
  subject: 'appshot.metrics', request: z.object({}), reply: z.array(z.custom<MetricObject>()), timeoutMs: 1_000,
} satisfies Call<z.ZodType, z.ZodType>;

/** Lets this role's metrics be gathered. */
export function serveMetrics(bus: Bus, metrics: Metrics): Promise<Subscription> {
  return bus.serve(readMetrics, async () => (await metrics.registry.getMetricsAsJSON()) as MetricObject[]);
}

/** The metrics of all roles, in the text format of Prometheus. A role that does not answer within the time is missing. */
export async function gatherMetrics(bus: Bus, withinMs = 300): Promise<string> {
  const answers = await bus.gather(readMetrics.subject, withinMs);
  return AggregatorRegistry.aggregate(answers as object[]).metrics();
}
