import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import type { FarmEvent } from '@appshot/protocol';
import { connectRegistry, type Registry } from '@appshot/registry';
import { Closer, freePort, waitUntil, type Logger } from '@appshot/runtime';
import { checkPortFree, parseHostPort } from './check-ports.js';
import { ChildPids } from './child-pids.js';
import { ChildRole, type ChildSpec } from './child-role.js';
import type { FarmDir } from './farm-dir.js';
import { natsChild } from './nats-child.js';
import { redisChild } from './redis-child.js';
import { roleSpec, type RoleName, type ServerUrls } from './role-specs.js';
import type { UpOptions } from './up-options.js';

/** Milliseconds that a child gets to end by itself. */
const stopWithinMs = { gateway: 40_000, scheduler: 40_000, agent: 30_000, nats: 10_000, redis: 30_000 };
const engineEndsWithinMs = 30_000;

/** Redis, NATS and one process for each role, as children that are kept running. */
export class FarmOnThisMachine {
  readonly #farm: FarmDir;
  readonly #options: UpOptions;
  readonly #logger: Logger;
  readonly #say: (line: string) => void;
  readonly #closer: Closer;
  readonly #pids: ChildPids;
  readonly #roles = new Map<RoleName, ChildRole>();
  #registry: Registry | null = null;

  constructor({ farm, options, logger, say }: { farm: FarmDir; options: UpOptions; logger: Logger; say: (line: string) => void }) {
    this.#farm = farm;
    this.#options = options;
    this.#logger = logger;
    this.#say = say;
    this.#closer = new Closer({ logger, stepWithinMs: 60_000 });
    this.#pids = new ChildPids(farm.run);
  }

  /** @throws FarmError `port-in-use`, or `unavailable` when a child does not start; what was started is ended by `close`. */
  async start(): Promise<void> {
    const { http, api } = this.#options;
    await this.#pids.endLeftovers();
    await checkPortFree(parseHostPort(http, '--http'), '--http');
    await checkPortFree(parseHostPort(api, '--api'), '--api');
    const urls = await this.#startServers();
    this.#registry = await connectRegistry({ url: urls.redis, logger: this.#logger });
    this.#closer.add('registry', () => this.#registry?.close());
    this.#closer.add('engine', () => this.#untilEngineEnded());
    // The last to start is the first to end: no new visitor comes while the others finish.
    await Promise.all([this.#startRole('agent', urls), this.#startRole('scheduler', urls)]);
    await this.#startRole('gateway', urls);
  }

  /** Ends one role before the others; `close` passes over it. */
  async stopRole(role: RoleName): Promise<void> {
    await this.#roles.get(role)?.stop(stopWithinMs[role]);
  }

  /** Ends everything in order; Redis last, and saved. Instances that still run go on. */
  async close(): Promise<void> {
    await this.#closer.close();
  }

  /** The engine's keeper ends by itself soon after its last instance and the agent. With instances it goes on. */
  async #untilEngineEnded(): Promise<void> {
    const { engine } = this.#farm;
    const instances = path.join(engine, 'instances');
    // Of one that sleeps only its log is left there.
    const runsOn = existsSync(instances) && readdirSync(instances).some((aid) => existsSync(path.join(instances, aid, 'state.json')));
    // The socket goes first, while pods and cgroups are still being taken down; the lock goes last.
    const hasEnded = (): boolean => ['keeper.sock', 'keeper.lock'].every((name) => !existsSync(path.join(engine, name)));
    if (!runsOn) await waitUntil(hasEnded, { withinMs: engineEndsWithinMs, what: 'the engine to end' });
  }

  async #startServers(): Promise<ServerUrls> {
    const { redis, nats } = this.#options;
    return {
      redis: redis ?? await this.#startServer('redis', redisChild),
      nats: nats ?? await this.#startServer('nats', natsChild),
    };
  }

  async #startServer(name: 'redis' | 'nats', make: typeof redisChild): Promise<string> {
    const { spec, url } = make(this.#farm, await freePort(), randomBytes(24).toString('hex'));
    await this.#startChild(spec, stopWithinMs[name]);
    return url;
  }

  async #startRole(role: RoleName, urls: ServerUrls): Promise<void> {
    this.#roles.set(role, await this.#startChild(roleSpec(role, this.#farm, this.#options, urls), stopWithinMs[role]));
  }

  async #startChild(spec: ChildSpec, withinMs: number): Promise<ChildRole> {
    const child = new ChildRole(spec, {
      pids: this.#pids, logger: this.#logger,
      events: {
        died: (name, how) => this.#tell('role-died', name, `${name} ended: ${how}`),
        restarted: (name) => this.#tell('role-started', name, `${name} was started again`),
      },
    });
    this.#closer.add(spec.name, () => child.stop(withinMs));
    await child.start();
    return child;
  }

  #tell(type: FarmEvent['type'], role: string, because: string): void {
    this.#say(because);
    const event: FarmEvent = { at: Date.now(), type, app: null, aid: null, node: this.#options.node, because, facts: { role } };
    this.#registry?.events.append(event).catch((err: unknown) => this.#logger.warn({ err }, 'an event could not be stored'));
  }
}
