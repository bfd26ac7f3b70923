import { setTimeout as delay } from 'node:timers/promises';
import { drain, traffic, wake, type Route, type WakeReply } from '@appshot/protocol';
import type { Registry } from '@appshot/registry';
import { FarmError, type Bus, type Subscription } from '@appshot/runtime';

interface Counts { inFlight: number; held: number; arrived: number; lastActiveAt: number; times: number[]; byAid: Map<string, number> }

/** What a visitor got. */
export interface Visit { readonly status: number; readonly body: string; readonly aid: string | null; readonly woken: WakeReply | null }

/** Plays one gateway: follows routes, holds visitors of sleeping apps, counts, reports and drains, over real HTTP. */
export class PlayedGateway {
  readonly id: string;
  readonly routes = new Map<string, Route>();
  /** A wake that is not answered for so long is asked for again, milliseconds. */
  askAgainMs = 20_000;
  readonly #bus: Bus;
  readonly #registry: Registry;
  readonly #counts = new Map<string, Counts>();
  readonly #draining = new Map<string, number>();
  readonly #waking = new Map<string, Promise<WakeReply | null>>();
  readonly #stop = new AbortController();
  #served: Subscription | undefined;
  #timers: NodeJS.Timeout[] = [];
  #following: Promise<void> | undefined;

  constructor(id: string, bus: Bus, registry: Registry) {
    this.id = id;
    this.#bus = bus;
    this.#registry = registry;
  }

  async start(): Promise<void> {
    const { revision, routes } = await this.#registry.routes.load();
    for (const route of routes) this.routes.set(route.app, route);
    this.#following = this.#registry.routes.follow(revision, (change) => {
      if (change.kind === 'set') this.routes.set(change.route.app, { ...change.route, instances: change.route.instances.map((one) => this.#newer(change.route.app, one)) });
      else this.routes.delete(change.app);
    }, this.#stop.signal);
    this.#served = await this.#bus.serve(drain(this.id), async ({ aid, epoch, withinMs }) => {
      this.#draining.set(aid, epoch);
      for (const deadline = Date.now() + withinMs; this.#inFlightTo(aid) > 0; await delay(5)) {
        if (Date.now() >= deadline) return { kind: 'busy', inFlight: this.#inFlightTo(aid) };
      }
      return { kind: 'drained' };
    });
    // What was told while NATS was away is lost.
    this.#bus.onStatus((status) => { if (status === 'connected') for (const app of this.#counts.keys()) this.#report(app, true); });
    await this.#registry.gateways.heartbeat(this.id, Date.now());
    this.#timers = [
      setInterval(() => void this.#registry.gateways.heartbeat(this.id, Date.now()).catch(() => undefined), 500),
      setInterval(() => { for (const app of this.#counts.keys()) this.#report(app); }, 250),
    ];
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.#served?.stop();
    this.#stop.abort();
    await this.#following;
  }

  /** One visitor, from arrival to last byte; waits for a wake when it must. */
  async visit(app: string, pathname = '/'): Promise<Visit> {
    const counts = this.#countsOf(app);
    const from = performance.now();
    counts.arrived += 1;
    counts.inFlight += 1;
    counts.lastActiveAt = Date.now();
    if (counts.inFlight === 1) this.#report(app);
    let woken: WakeReply | null = null;
    try {
      for (;;) {
        const instance = this.#choose(app, counts);
        if (instance !== null) {
          const sent = await this.#send(counts, instance, pathname);
          if (sent !== null) return { ...sent, woken };
          // It has ended, and the route feed is about to say so.
          this.#draining.set(instance.aid, instance.epoch);
          continue;
        }
        const concurrencyFull = this.routes.get(app)?.instances.some((one) => this.#isOpen(one)) ?? false;
        counts.held += 1;
        if (counts.held === 1) this.#report(app);
        try {
          if (concurrencyFull) await delay(5);
          else woken = this.#taken(app, await this.#wake(app)) ?? woken;
        } finally {
          counts.held -= 1;
        }
        if (woken?.kind === 'refused') return { status: 503, body: woken.because, aid: null, woken };
        await delay(1);
      }
    } finally {
      counts.inFlight -= 1;
      counts.lastActiveAt = Date.now();
      counts.times.push(performance.now() - from);
      if (counts.inFlight === 0) this.#report(app);
    }
  }

  /** The answer of a wake may be quicker than the route feed. */
  #taken(app: string, reply: WakeReply | null): WakeReply | null {
    const route = this.routes.get(app);
    if (reply?.kind === 'ready' && route !== undefined) {
      const { aid, epoch, endpoint } = reply;
      const others = route.instances.filter((one) => one.aid !== aid);
      this.routes.set(app, { ...route, instances: [...others, this.#newer(app, { aid, epoch, endpoint, state: 'ready' })] });
    }
    return reply;
  }

  #newer(app: string, told: Route['instances'][number]): Route['instances'][number] {
    const known = this.routes.get(app)?.instances.find((one) => one.aid === told.aid);
    return known !== undefined && known.epoch > told.epoch ? known : told;
  }

  /** Null when nobody answered: the scheduler that had it may have died, and is asked for again. */
  #wake(app: string): Promise<WakeReply | null> {
    const known = this.#waking.get(app);
    if (known !== undefined) return known;
    const asked = this.#bus.call(wake, { app, gateway: this.id }, { timeoutMs: this.askAgainMs }).catch(async (error: unknown) => {
      const { code } = FarmError.from(error);
      if (code !== 'timeout' && code !== 'unavailable') throw error;
      await delay(100);
      return null;
    });
    const waking = asked.finally(() => this.#waking.delete(app));
    this.#waking.set(app, waking);
    return waking;
  }

  /** Null when nobody listens there. */
  async #send(counts: Counts, { aid, url }: { aid: string; url: string }, pathname: string): Promise<Omit<Visit, 'woken'> | null> {
    counts.byAid.set(aid, (counts.byAid.get(aid) ?? 0) + 1);
    try {
      const response = await fetch(url + pathname, { headers: { connection: 'close' } });
      return { status: response.status, body: await response.text(), aid };
    } catch (error) {
      if (((error as Error).cause as NodeJS.ErrnoException | undefined)?.code === 'ECONNREFUSED') return null;
      throw error;
    } finally {
      counts.byAid.set(aid, (counts.byAid.get(aid) ?? 1) - 1);
    }
  }

  #choose(app: string, counts: Counts): { aid: string; epoch: number; url: string } | null {
    const route = this.routes.get(app);
    const open = (route?.instances ?? []).filter((one) => this.#isOpen(one) && (counts.byAid.get(one.aid) ?? 0) < (route?.concurrency ?? 1));
    const [least] = open.sort((a, b) => (counts.byAid.get(a.aid) ?? 0) - (counts.byAid.get(b.aid) ?? 0));
    return least?.endpoint === undefined ? null : { aid: least.aid, epoch: least.epoch, url: `http://${least.endpoint.ip}:${least.endpoint.port}` };
  }

  #isOpen({ aid, state, epoch }: Route['instances'][number]): boolean {
    return state === 'ready' && epoch > (this.#draining.get(aid) ?? -1);
  }

  #inFlightTo(aid: string): number {
    let sum = 0;
    for (const counts of this.#counts.values()) sum += counts.byAid.get(aid) ?? 0;
    return sum;
  }

  #countsOf(app: string): Counts {
    const counts = this.#counts.get(app) ?? { inFlight: 0, held: 0, arrived: 0, lastActiveAt: 0, times: [], byAid: new Map<string, number>() };
    this.#counts.set(app, counts);
    return counts;
  }

  #report(app: string, again = false): void {
    const counts = this.#countsOf(app);
    if (!again && counts.arrived === 0 && counts.inFlight === 0 && counts.times.length === 0) return;
    const times = counts.times.splice(0).sort((a, b) => a - b);
    const at = (part: number): number | null => times[Math.floor(part * (times.length - 1))] ?? null;
    this.#bus.publish(traffic, {
      gateway: this.id, at: Date.now(), app, inFlight: counts.inFlight, held: counts.held, arrived: counts.arrived, lastActiveAt: counts.lastActiveAt,
      instances: [...counts.byAid].map(([aid, inFlight], index) => ({ aid, inFlight, finished: index === 0 ? times.length : 0, failed: 0, p50Ms: at(0.5), p95Ms: at(0.95) })),
    });
    counts.arrived = 0;
    // The report that says that nothing is in flight any more is the last one.
    if (counts.inFlight === 0) counts.lastActiveAt = Date.now();
  }
}
