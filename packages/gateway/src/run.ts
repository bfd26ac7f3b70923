import { connectRegistry } from '@appshot/registry';
import { Closer, connectBus, createLogger, createMetrics, loadConfig, serveMetrics } from '@appshot/runtime';
import { GatewayConfig, type GatewaySettings } from './config.js';
import { startGateway } from './start-gateway.js';

export interface RunningGateway {
  readonly id: string;
  /** HOST:PORT where visitors come in. */
  readonly address: string;
  /** For the role's `ready` line. */
  readonly facts: { readonly id: string; readonly address: string };
  close(): Promise<void>;
}

/** A gateway with everything it needs, from its settings. @throws FarmError `bad-request` (settings), `unavailable`, `port-in-use` */
export async function run(settings: GatewaySettings): Promise<RunningGateway> {
  const config = loadConfig(GatewayConfig, settings as Record<string, unknown>);
  const logger = createLogger('gateway', { id: config.id });
  const closer = new Closer({ logger, stepWithinMs: config.stopWithinMs + 10_000 });
  try {
    const bus = await connectBus({ url: config.natsUrl, name: config.id, logger });
    closer.add('bus', () => bus.close());
    const registry = await connectRegistry({ url: config.redisUrl, logger });
    closer.add('registry', () => registry.close());
    const metrics = createMetrics('gateway', config.id);
    const readers = await serveMetrics(bus, metrics);
    closer.add('metrics', () => readers.stop());
    const gateway = await startGateway({ config, bus, registry, logger, metrics });
    closer.add('gateway', () => gateway.close());
    const { id, address } = gateway;
    return { id, address, facts: { id, address }, close: () => closer.close() };
  } catch (error) {
    await closer.close();
    throw error;
  }
}
