import { instanceEnded, nodeWoke, wake } from '@appshot/protocol';
import type { Registry } from '@appshot/registry';
import { Closer, serveMetrics, type Bus, type Logger, type Metrics } from '@appshot/runtime';
import { startApi } from './api/start-api.js';
import type { SchedulerConfig } from './config.js';
import { EventLog } from './event-log.js';
import type { Farm } from './farm.js';
import { FarmView } from './farm-view.js';
import { JobDesk } from './jobs/job-desk.js';
import { jobHandlers } from './jobs/job-handlers.js';
import { Leases } from './leases.js';
import { Habits } from './load/habits.js';
import { NodeBoard } from './load/node-board.js';
import { TrafficBoard } from './load/traffic-board.js';
import { Meters } from './meters.js';
import { noteNodeWoke } from './ops/bring-up.js';
import { FarmRepairs } from './ops/repair-farm.js';
import { Underway } from './ops/underway.js';
import { WakeDesk } from './ops/wake-desk.js';
import { connectRedis } from './redis-connection.js';
import { SiteMemory } from './site-notes.js';
import { Ticker } from './tick/ticker.js';

export interface SchedulerParts {
  readonly config: SchedulerConfig;
  readonly bus: Bus;
  readonly registry: Registry;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

export interface RunningScheduler {
  /** Where the control API answers: http://HOST:PORT */
  readonly url: string;
  /** Finishes the jobs and wakes that it is at. What it does not get to, another scheduler or its next start takes up. */
  close(): Promise<void>;
}

/** NATS queue group of the schedulers: each call goes to one of them. */
const queue = 'scheduler';

/** Starts deciding: hears gateways and nodes, answers wakes, does jobs, serves the control API. */
export async function startScheduler({ config, bus, registry, logger, metrics }: SchedulerParts): Promise<RunningScheduler> {
  const closer = new Closer({ logger, stepWithinMs: 35_000 });
  try {
    const redis = connectRedis(config.redisUrl, logger);
    closer.add('redis', () => redis.disconnect());
    const meters = new Meters(metrics);
    const farm: Farm = {
      id: config.id, config, bus, registry, logger, meters,
      view: new FarmView(registry, logger), nodes: new NodeBoard(), traffic: new TrafficBoard(), memory: new SiteMemory(),
      leases: new Leases(redis), events: new EventLog(registry, meters, logger), underway: new Underway(), now: () => Date.now(),
    };
    closer.add('events', () => farm.events.flush());
    await farm.view.start();
    closer.add('view', () => farm.view.close());
    const habits = new Habits(redis, { traffic: farm.traffic, memory: farm.memory, apps: () => farm.view.names(), now: farm.now, logger });
    await habits.start();
    closer.add('habits', () => habits.close());
    for (const { load, seenAt } of await registry.nodes.list()) if (load !== null) farm.nodes.note(load, seenAt);

    const repairs = new FarmRepairs(farm);
    const jobs = new JobDesk(config.redisUrl, logger);
    const desk = new WakeDesk(farm);
    closer.add('operations', () => farm.underway.settled());
    await jobs.start(jobHandlers(farm, repairs), config.reconcileEveryMs);
    closer.add('jobs', () => jobs.close());
    const ticker = new Ticker(farm, jobs);
    await ticker.start();
    closer.add('ticker', () => ticker.close());
    await serveMetrics(bus, metrics);
    const served = [
      await bus.serve(wake, ({ app }) => desk.wake(app), { queue }),
      await bus.subscribe(nodeWoke, (woke) => noteNodeWoke(farm, woke), { queue }),
      await bus.subscribe(instanceEnded, ({ node, aid, how }) => repairs.ended(node, aid, how), { queue }),
    ];
    closer.add('calls', async () => {
      desk.close();
      await Promise.all(served.map((one) => one.stop()));
    });
    const api = await startApi(farm, desk);
    closer.add('control API', () => api.close());
    // What the scheduler before this one left half done is not left to the first turn of the job.
    repairs.reconcile().catch((err: unknown) => logger.warn({ err }, 'the farm could not be reconciled yet'));
    farm.events.ofRole(config.id, { type: 'role-started', because: 'the scheduler runs', facts: { role: 'scheduler', api: api.url } });
    return { url: api.url, close: () => closer.close() };
  } catch (error) {
    await closer.close();
    throw error;
  }
}
