import { AppSpec, type Endpoint, type InstanceState, traffic, type Traffic, wake, type WakeReply } from '@appshot/protocol';
import { connectRegistry, type Registry } from '@appshot/registry';
import { type Bus, connectBus, createLogger, createMetrics, FarmError, type Metrics } from '@appshot/runtime';
import { startNats, startRedis, type TestServer, waitUntil } from '@appshot/runtime/testing';
import { type Gateway, GatewayConfig, type GatewaySettings, startGateway } from '../../src/index.js';

export interface DeployOptions {
  hosts?: string[];
  concurrency?: number;
  /** The route's `holdMs` is five seconds more. */
  readyWithinMs?: number;
}

export type TestGateway = Gateway & { bus: Bus; registry: Registry; metrics: Metrics };

/** A real Redis and NATS, a registry, and whatever gateways a test wants. The test plays the scheduler and the agents. */
export class TestFarm {
  readonly logger = createLogger('test', {});
  redis!: TestServer;
  nats!: TestServer;
  registry!: Registry;
  bus!: Bus;
  readonly reports: Traffic[] = [];
  readonly #closing: (() => Promise<unknown>)[] = [];
  #apps = 0;

  async start(): Promise<this> {
    this.logger.level = process.env['APPSHOT_LOG'] ?? 'fatal';
    [this.redis, this.nats] = await Promise.all([startRedis(), startNats()]);
    this.registry = await connectRegistry({ url: this.redis.url, logger: this.logger });
    this.bus = await connectBus({ url: this.nats.url, name: 'test', logger: this.logger });
    await this.bus.subscribe(traffic, (report) => void this.reports.push(report));
    return this;
  }

  async gateway(settings: Partial<GatewaySettings> = {}): Promise<TestGateway> {
    const config = GatewayConfig.parse({ http: '127.0.0.1:0', redisUrl: this.redis.url, natsUrl: this.nats.url, stopWithinMs: 3_000, ...settings });
    const bus = await connectBus({ url: this.nats.url, name: config.id, logger: this.logger });
    const registry = await connectRegistry({ url: this.redis.url, logger: this.logger });
    const metrics = createMetrics('gateway', config.id);
    const gateway = await startGateway({ config, bus, registry, logger: this.logger, metrics });
    let closed: Promise<void> | undefined;
    const close = (): Promise<void> => (closed ??= gateway.close().then(() => bus.close()).then(() => registry.close()));
    this.#closing.push(close);
    return { ...gateway, bus, registry, metrics, close };
  }

  /** Deploys an app of a name of its own; its host name is NAME.test. */
  async deploy({ hosts, concurrency = 50, readyWithinMs = 30_000 }: DeployOptions = {}): Promise<{ app: string; host: string }> {
    const app = `app${(this.#apps += 1)}`;
    const spec = AppSpec.parse({
      name: app, hosts: hosts ?? [`${app}.test`], command: ['x'], cwd: '/', port: 3000, ready: { withinMs: readyWithinMs }, scale: { concurrency },
    });
    await this.registry.apps.put(spec, Date.now());
    return { app, host: spec.hosts[0]!.replace('*', 'any') };
  }

  async instance(app: string, state: Exclude<InstanceState, 'gone'>, endpoint?: Endpoint): Promise<string> {
    const [aid] = await this.registry.aids.next();
    await this.registry.instances.create({ aid: aid!, app, version: 1, node: 'n1', state, reason: 'test', now: Date.now(), endpoint });
    return aid!;
  }

  /** @returns the new epoch */
  async become(aid: string, from: InstanceState, to: InstanceState, endpoint?: Endpoint): Promise<number> {
    const record = await this.registry.instances.transition({ aid, from: [from], to, reason: 'test', now: Date.now(), ...(endpoint && { patch: { endpoint } }) });
    return record.epoch;
  }

  /** An app with one ready instance at the endpoint. */
  async deployReady(endpoint: Endpoint, options?: DeployOptions): Promise<{ app: string; host: string; aid: string }> {
    const deployed = await this.deploy(options);
    return { ...deployed, aid: await this.instance(deployed.app, 'ready', endpoint) };
  }

  /** Plays the scheduler for one app; other apps' calls are another's. Returns the calls so far. */
  async onWake(answers: Record<string, () => Promise<WakeReply> | WakeReply>): Promise<string[]> {
    const calls: string[] = [];
    const served = await this.bus.serve(wake, ({ app }) => {
      calls.push(app);
      const answer = answers[app];
      // Of what the test does not speak, no scheduler knows yet: a gateway asks again.
      if (answer === undefined) throw new FarmError('unavailable', `nobody wakes ${app}`);
      return answer();
    });
    this.#closing.push(() => served.stop());
    return calls;
  }

  /** The last that was reported of the app. */
  lastReport(app: string): Traffic | undefined {
    return this.reports.findLast((report) => report.app === app);
  }

  async reported(app: string, is: (report: Traffic) => boolean): Promise<Traffic> {
    await waitUntil(() => this.reports.some((report) => report.app === app && is(report)), { what: `a report of ${app}` });
    return this.reports.find((report) => report.app === app && is(report))!;
  }

  async close(): Promise<void> {
    for (const close of this.#closing.reverse()) await close();
    await this.bus.close();
    await this.registry.close();
    await Promise.all([this.redis.stop(), this.nats.stop()]);
  }
}
