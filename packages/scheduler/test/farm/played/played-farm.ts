import type { FarmEvent, InstanceRecord } from '@appshot/protocol';
import { connectRegistry, type Registry } from '@appshot/registry';
import { connectBus, createLogger, createMetrics, type Bus } from '@appshot/runtime';
import { startNats, startRedis, waitUntil, type TestServer } from '@appshot/runtime/testing';
import type { ExecutionContext } from 'ava';
import { SchedulerConfig } from '../../../src/config.js';
import { startScheduler, type RunningScheduler } from '../../../src/start-scheduler.js';
import { PlayedAgent } from './played-agent.js';
import { PlayedGateway } from './played-gateway.js';

/** A scheduler of a test, over a real Redis and a real NATS, with the agent and the gateways played. */
export interface PlayedFarm {
  readonly redis: TestServer;
  readonly nats: TestServer;
  readonly bus: Bus;
  readonly registry: Registry;
  readonly agent: PlayedAgent;
  readonly gateway: PlayedGateway;
  readonly schedulers: RunningScheduler[];
  /** Of the first scheduler. The body is whatever the test expects of it. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly api: (method: string, path: string, body?: unknown) => Promise<{ status: number; body: any }>;
  startScheduler(settings?: Record<string, unknown>): Promise<RunningScheduler>;
  states(app: string): Promise<string[]>;
  instances(app: string): Promise<InstanceRecord[]>;
  /** Waits until the app's instances are in these states, oldest first. */
  settled(app: string, states: string[]): Promise<InstanceRecord[]>;
  events(type?: FarmEvent['type']): Promise<FarmEvent[]>;
  waitForEvent(type: FarmEvent['type'], where?: (event: FarmEvent) => boolean): Promise<FarmEvent>;
}

export async function playFarm(t: ExecutionContext, { schedulers = 1, settings = {} }: { schedulers?: number; settings?: Record<string, unknown> } = {}): Promise<PlayedFarm> {
  const logger = createLogger('test');
  const [redis, nats] = await Promise.all([startRedis(), startNats()]);
  t.teardown(() => redis.stop());
  t.teardown(() => nats.stop());
  const bus = await connectBus({ url: nats.url, name: 'test', logger });
  t.teardown(() => bus.close());
  const registry = await connectRegistry({ url: redis.url, logger });
  t.teardown(() => registry.close());
  const agent = new PlayedAgent('n1', bus, registry);
  await agent.start();
  t.teardown(() => agent.close());
  const gateway = new PlayedGateway('gw1', bus, registry);
  await gateway.start();
  t.teardown(() => gateway.close());

  const running: RunningScheduler[] = [];
  const start = async (more: Record<string, unknown> = {}): Promise<RunningScheduler> => {
    const config = SchedulerConfig.parse({ redisUrl: redis.url, natsUrl: nats.url, api: '127.0.0.1:0', ...settings, ...more });
    const [ownBus, ownRegistry] = await Promise.all([connectBus({ url: nats.url, name: config.id, logger }), connectRegistry({ url: redis.url, logger })]);
    const scheduler = await startScheduler({ config, bus: ownBus, registry: ownRegistry, logger, metrics: createMetrics('scheduler', config.id) });
    const close = async (): Promise<void> => {
      await scheduler.close();
      await ownBus.close();
      await ownRegistry.close();
    };
    const one = { url: scheduler.url, close };
    running.push(one);
    t.teardown(close);
    return one;
  };
  for (let i = 0; i < schedulers; i++) await start();

  const farm: PlayedFarm = {
    redis, nats, bus, registry, agent, gateway, schedulers: running, startScheduler: start,
    api: async (method, path, body) => {
      const response = await fetch(running.at(0)!.url + path, { method, ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }) });
      const text = await response.text();
      return { status: response.status, body: text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : text };
    },
    instances: (app) => registry.instances.ofApp(app),
    states: async (app) => (await registry.instances.ofApp(app)).map((one) => one.state),
    settled: async (app, states) => {
      await waitUntil(async () => (await farm.states(app)).join() === states.join(), { what: `${app} to be ${states.join(', ')}` })
        .catch(async (error: Error) => { throw new Error(`${error.message}; it is ${(await farm.states(app)).join(', ')}`); });
      return farm.instances(app);
    },
    events: async (type) => (await registry.events.read({ count: 1_000 })).map(({ event }) => event).filter((event) => type === undefined || event.type === type),
    waitForEvent: (type, where = () => true) => waitUntil(async () => (await farm.events(type)).find(where), { what: `an event ${type}` }),
  };
  return farm;
}

/** An app file. `idleMs: never` unless the test wants it otherwise. */
export function appFile(name: string, more = 'scale: { idleMs: never }'): { text: string; baseDir: string; replace?: boolean } {
  return { text: `name: ${name}\nhosts: [${name}.localhost]\ncommand: [site]\nport: 3000\n${more}\n`, baseDir: '/srv' };
}

export const visitsOf = ({ body }: { body: string }): number => (JSON.parse(body) as { visits: number }).visits;
