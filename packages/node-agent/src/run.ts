import { connectRegistry } from '@appshot/registry';
import { Closer, connectBus, createLogger, createMetrics, loadConfig } from '@appshot/runtime';
import path from 'node:path';
import type { z } from 'zod';
import { AgentConfig } from './agent/agent-config.js';
import { startAgent } from './agent/start-agent.js';
import { openEngine } from './engine/open-engine.js';

export interface RunningAgentRole {
  readonly node: string;
  /** Ends the agent; what runs on the node goes on. */
  close(): Promise<void>;
}

/** An agent with everything it needs, from its settings. @throws FarmError `bad-request` (settings), `unavailable` */
export async function run(settings: z.input<typeof AgentConfig>): Promise<RunningAgentRole> {
  const config = loadConfig(AgentConfig, settings as Record<string, unknown>);
  const logger = createLogger('agent', { node: config.node });
  const closer = new Closer({ logger, stepWithinMs: 30_000 });
  try {
    const bus = await connectBus({ url: config.natsUrl, name: `agent-${config.node}`, logger });
    closer.add('bus', () => bus.close());
    const registry = await connectRegistry({ url: config.redisUrl, logger });
    closer.add('registry', () => registry.close());
    const engine = await openEngine({ dir: path.join(config.dir, 'engine') });
    closer.add('engine', () => engine.close());
    const agent = await startAgent({ config, bus, registry, engine, logger, metrics: createMetrics('agent', config.node) });
    closer.add('agent', () => agent.close());
    return { node: config.node, close: () => closer.close() };
  } catch (error) {
    await closer.close();
    throw error;
  }
}
