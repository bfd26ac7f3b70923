import path from 'node:path';
import { instanceComing, instanceRestored, nodeWoke } from '@appshot/protocol';
import type { Registry } from '@appshot/registry';
import { Closer, serveMetrics, type Bus, type Logger, type Metrics } from '@appshot/runtime';
import type { Engine } from '../engine/engine.js';
import { AddressPool } from './address-pool.js';
import { adopt } from './adopt.js';
import type { AgentConfig } from './agent-config.js';
import { AgentMetrics } from './agent-metrics.js';
import { AppLogs } from './app-logs.js';
import { EndedNotices } from './ended-notices.js';
import { Heartbeat } from './heartbeat.js';
import { InstanceCards } from './instance-cards.js';
import { NodeMeter } from './node-meter.js';
import { NodeOperations } from './node-operations.js';
import { OperationBoard } from './operation-board.js';
import { OwnWakes } from './own-wakes.js';
import { Residents } from './residents.js';
import { serveCalls } from './serve-calls.js';
import { UidBook } from './uid-book.js';
import { Zygotes } from './zygotes.js';

export interface AgentParts {
  readonly config: AgentConfig;
  readonly bus: Bus;
  readonly registry: Registry;
  readonly engine: Engine;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

export interface RunningAgent {
  /** Stops serving. What runs goes on; with nothing running, the engine's pods and addresses are let go too. */
  close(): Promise<void>;
}

/** Adopts what runs on this node, then serves its calls and says every second how it is. */
export async function startAgent({ config, bus, registry, engine, logger, metrics }: AgentParts): Promise<RunningAgent> {
  const { node, dir } = config;
  const closer = new Closer({ logger });
  const agentMetrics = new AgentMetrics(metrics);
  const cards = new InstanceCards(path.join(dir, 'agent/instances'));
  const uids = new UidBook({ file: path.join(dir, 'agent/uids.json'), first: config.uidFirst, count: config.uidCount });
  const logs = new AppLogs({
    dir: path.join(dir, 'logs/apps'), sourceOf: (aid) => path.join(dir, 'engine/instances', aid, 'self/log'),
    segmentBytes: config.logFileBytes, segmentsKept: config.logFilesKept, logger,
  });
  const addresses = new AddressPool({ node, registry, engine, logger, spare: config.addressesSpare, podsReady: config.podsReady });
  const ended = new EndedNotices(bus);
  const zygotes = new Zygotes(engine, logger);
  const residents = new Residents({ node, addresses, logs, ended, zygotes });
  const operations = new NodeOperations({
    node, engine, registry, cards, board: new OperationBoard(), residents, uids, zygotes, metrics: agentMetrics, logger,
    tellRestored: (restored) => bus.publish(instanceRestored, restored),
  });
  const ownWakes = new OwnWakes({
    node, engine, registry, cards, operations, logger,
    tellComing: (coming) => bus.publish(instanceComing, coming),
    tellWoke: (woke) => bus.publish(nodeWoke, woke),
  });
  const heartbeat = new Heartbeat({ node, bus, registry, engine, cards, zygotes, meter: new NodeMeter(), metrics: agentMetrics, logger });

  cards.load(Date.now());
  uids.load();
  ended.start();
  closer.add('notices', () => ended.close());
  await registry.ips.configure({ cidr: config.addresses, restMs: config.addressRestMs });
  await addresses.start((await engine.list()).running.map((row) => row.ip));
  closer.add('addresses', () => addresses.close(residents.count === 0));
  await logs.start();
  closer.add('logs', () => logs.close());
  engine.onEvent((event) => residents.heard(event, Date.now()));
  await adopt({ node, engine, registry, cards, residents, ended, zygotes, logger });
  const served = await serveCalls({ node, bus, engine, operations, ownWakes, cards, logs });
  closer.add('own wakes', () => ownWakes.close());
  closer.add('calls', async () => { await Promise.all(served.map((one) => one.stop())); });
  await serveMetrics(bus, metrics);
  await heartbeat.start();
  closer.add('heartbeat', () => heartbeat.close());
  return { close: () => closer.close() };
}
