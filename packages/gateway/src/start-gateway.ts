import { type BlockedPort, checkPorts, drain, instanceComing, instanceRestored } from '@appshot/protocol';
import type { Registry } from '@appshot/registry';
import { type Bus, Closer, FarmError, type Logger, type Metrics } from '@appshot/runtime';
import type { GatewayConfig } from './config.js';
import { drainLane } from './drain/drain-lane.js';
import { Heartbeat } from './heartbeat.js';
import { FrontServer } from './http/front-server.js';
import { GatewayMetrics } from './metrics.js';
import { Ledger } from './path/ledger.js';
import { Holding } from './path/holding.js';
import { RequestPath } from './path/request-path.js';
import { RouteFollower } from './routes/follow-routes.js';
import { RouteTable } from './routes/route-table.js';
import type { Site } from './site/site.js';
import { FarmPorts } from './tcp/farm-ports.js';
import { TrafficReporter } from './traffic/traffic-reporter.js';
import { Waker } from './wake/waker.js';

export interface GatewayParts {
  readonly config: GatewayConfig;
  readonly bus: Bus;
  readonly registry: Registry;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

export interface Gateway {
  readonly id: string;
  /** HOST:PORT where visitors come in. */
  readonly address: string;
  /** Lets nobody in any more, lets requests in flight finish within `stopWithinMs`, then ends. */
  close(): Promise<void>;
}

/** @throws FarmError `port-in-use`, `unavailable` */
export async function startGateway({ config, bus, registry, logger, metrics }: GatewayParts): Promise<Gateway> {
  const { id } = config;
  const routes = new RouteTable<Site>();
  const sites = (): Iterable<Site> => routes.values();
  const reporter = new TrafficReporter(bus, config, { sites, logger });
  const waker = new Waker(bus, config, { logger, hooks: {
    woken: (site, { aid, epoch, endpoint, how, phases }, callMs) => {
      path.woken(site, { aid, epoch, how, phases }, callMs);
      site.woken(aid, { epoch, endpoint }, performance.now());
    },
    wokenByAgent: (site, tookMs) => path.wokenByAgent(site, tookMs),
    refused: (site, refusal) => path.cannotWake(site, refusal),
  } });
  const ledger = new Ledger(reporter);
  const holding = new Holding(config, { wake: (site) => waker.wake(site), heldChanged: (site) => ledger.heldChanged(site) });
  const ports = new FarmPorts({ options: { ...config, host: hostOf(config) }, holding, ledger, logger, onChange: (app, port, isOpen) => tellOfPort({ registry, logger, id }, { app, port, isOpen }) });
  const path = new RequestPath({ config, routes, ledger, holding, metrics: new GatewayMetrics(metrics, sites, (site) => ports.openOf(site)) });
  const follower = new RouteFollower(registry, routes, { logger, options: { limits: config, unconfirmedForMs: config.unconfirmedForMs, onChange: (site) => path.siteChanged(site) }, onRoute: (site, exposed) => ports.set(site, exposed) });
  const heartbeat = new Heartbeat(registry, config, logger);
  const server = new FrontServer(config, (request, response, upgradeHead) => path.serve(request, response, upgradeHead));

  const closer = new Closer({ logger, stepWithinMs: config.stopWithinMs + 5_000 });
  try {
    closer.add('waker', () => waker.close());
    closer.add('routes', () => follower.close());
    await follower.start();
    const drains = await bus.serve(drain(id), async ({ app, aid, epoch, withinMs }) => {
      const site = routes.get(app);
      return site === undefined ? { kind: 'drained' as const } : drainLane(site, { aid, epoch, withinMs });
    });
    closer.add('drain calls', () => drains.stop());
    const checks = await bus.serve(checkPorts(id), async ({ farmPorts }) => ({ blocked: await ports.blockedOf(farmPorts) }));
    closer.add('port calls', () => checks.stop());
    const agents = await bus.subscribe(instanceRestored, ({ app, aid, ...restored }) => routes.get(app)?.restored(aid, restored, performance.now()));
    closer.add('news of agents', () => agents.stop());
    const coming = await bus.subscribe(instanceComing, ({ app, aid, endpoint }) => { const site = routes.get(app); if (site !== undefined) path.coming(site, aid, endpoint); });
    closer.add('news of wakes', () => coming.stop());
    closer.add('heartbeat', () => heartbeat.close());
    await heartbeat.start();
    closer.add('traffic', () => reporter.close());
    reporter.start();
    closer.add('visitors', async () => void await Promise.all([closeFront(server, path, config.stopWithinMs), ports.close()]));
    const address = await server.start();
    const text = address.family === 'IPv6' ? `[${address.address}]:${address.port}` : `${address.address}:${address.port}`;
    logger.info({ address: text }, 'gateway is open');
    return { id, address: text, close: () => closer.close() };
  } catch (error) {
    await closer.close();
    throw FarmError.from(error);
  }
}

/** Where farm ports are opened: where visitors come in, unless it is said. */
function hostOf({ exposeHost, http }: GatewayConfig): string {
  return exposeHost ?? http.slice(0, http.lastIndexOf(':')).replace(/^\[|\]$/g, '');
}

/** The history of the farm says of a port that its visitors stand before a closed door. */
function tellOfPort({ registry, logger, id }: Pick<GatewayParts, 'registry' | 'logger'> & { id: string }, { app, port, isOpen }: { app: string; port: BlockedPort; isOpen: boolean }): void {
  const { farmPort, owner } = port;
  const because = isOpen ? `the farm port ${farmPort} is open again` : `the farm port ${farmPort} cannot be opened: it is in use${owner === null ? '' : ` by ${owner}`}`;
  const event = { at: Date.now(), type: isOpen ? 'port-opened' as const : 'port-blocked' as const, app, aid: null, node: null, because, facts: { farmPort, owner, gateway: id } };
  registry.events.append(event).catch((err: unknown) => logger.warn({ err, event }, 'an event could not be written'));
}

/** Visitors who still wait for an instance are told a little before everything is cut. */
async function closeFront(server: FrontServer, path: RequestPath, stopWithinMs: number): Promise<void> {
  path.stopping();
  const abandon = setTimeout(() => path.abandon(), stopWithinMs * 0.9);
  await server.close();
  clearTimeout(abandon);
}
