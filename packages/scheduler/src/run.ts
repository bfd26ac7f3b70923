import { connectRegistry } from '@appshot/registry';
import { Closer, connectBus, createLogger, createMetrics, loadConfig } from '@appshot/runtime';
import { SchedulerConfig } from './config.js';
import { startScheduler } from './start-scheduler.js';

/** One scheduler with everything wired. @throws FarmError `bad-request` (settings), `unavailable`, `port-in-use` */
export async function run(settings: Record<string, unknown>): Promise<{ close(): Promise<void>; facts: { api: string } }> {
  const config = loadConfig(SchedulerConfig, settings);
  const logger = createLogger('scheduler', { id: config.id });
  const closer = new Closer({ logger, stepWithinMs: 40_000 });
  try {
    const bus = await connectBus({ url: config.natsUrl, name: config.id, logger });
    closer.add('bus', () => bus.close());
    const registry = await connectRegistry({ url: config.redisUrl, logger });
    closer.add('registry', () => registry.close());
    const scheduler = await startScheduler({ config, bus, registry, logger, metrics: createMetrics('scheduler', config.id) });
    closer.add('scheduler', () => scheduler.close());
    return { close: () => closer.close(), facts: { api: scheduler.url } };
  } catch (error) {
    await closer.close();
    throw error;
  }
}
