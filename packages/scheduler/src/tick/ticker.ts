import { nodeLoad, traffic, type AppName, type Traffic } from '@appshot/protocol';
import type { Subscription } from '@appshot/runtime';
import type { Farm } from '../farm.js';
import type { JobDesk } from '../jobs/job-desk.js';
import { makeRoom } from '../ops/make-room.js';
import { roomOn } from '../policy/choose-node.js';
import { lookAtApp } from './look-at-app.js';
import { lookAtTiers } from './look-at-tiers.js';

/** How often gateways that have gone are forgotten, and full nodes relieved, milliseconds. */
const slowMs = 1_000;

/** Hears what gateways and nodes report, and looks at every app at a steady pace, and at once at one whose traffic turns. */
export class Ticker {
  readonly #farm: Farm;
  readonly #jobs: JobDesk;
  readonly #subscriptions: Subscription[] = [];
  readonly #turned = new Set<AppName>();
  #timers: NodeJS.Timeout[] = [];
  #soon: NodeJS.Immediate | undefined;

  constructor(farm: Farm, jobs: JobDesk) {
    this.#farm = farm;
    this.#jobs = jobs;
  }

  async start(): Promise<void> {
    const { bus, nodes } = this.#farm;
    // Every scheduler hears everything: any of them may be the one that is left.
    this.#subscriptions.push(await bus.subscribe(traffic, (report) => this.#heard(report)));
    this.#subscriptions.push(await bus.subscribe(nodeLoad, (load) => nodes.note(load, this.#farm.now())));
    this.#timers = [
      setInterval(() => this.#tick(this.#farm.view.names()), this.#farm.config.tickMs),
      setInterval(() => void this.#slowly().catch((err: unknown) => this.#farm.logger.debug({ err }, 'a slow tick failed')), slowMs),
    ];
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    if (this.#soon !== undefined) clearImmediate(this.#soon);
    await Promise.all(this.#subscriptions.map((subscription) => subscription.stop()));
  }

  #heard(report: Traffic): void {
    const board = this.#farm.traffic.of(report.app, this.#farm.now());
    const before = { busy: board.inFlight > 0, held: board.held > 0 };
    board.note(report, this.#farm.now());
    if (before.busy === board.inFlight > 0 && before.held === board.held > 0) return;
    this.#turned.add(report.app);
    this.#soon ??= setImmediate(() => {
      this.#soon = undefined;
      const turned = [...this.#turned];
      this.#turned.clear();
      this.#tick(turned);
    });
  }

  #tick(apps: readonly AppName[]): void {
    const begunAt = performance.now();
    const now = this.#farm.now();
    for (const app of apps) {
      try {
        lookAtApp(this.#farm, this.#jobs, app, now);
      } catch (err) {
        this.#farm.logger.error({ err, app }, 'an app could not be looked at');
      }
    }
    this.#farm.meters.tickSeconds.observe((performance.now() - begunAt) / 1000);
  }

  async #slowly(): Promise<void> {
    const { registry, nodes, view, meters } = this.#farm;
    await lookAtTiers(this.#farm, this.#jobs, this.#farm.now());
    meters.countInstances(view.instances());
    const now = this.#farm.now();
    this.#farm.traffic.keepGateways(new Set(await registry.gateways.live(now)), now);
    for (const node of nodes.alive(now)) {
      // What is promised may never come: nobody is put to sleep for it.
      const shortBy = -roomOn({ ...node, promisedBytes: Math.min(0, node.promisedBytes) });
      if (shortBy > 0) await this.#farm.underway.join(`room:${node.node}`, () => makeRoom(this.#farm, { node: node.node, bytes: shortBy, for: null }));
    }
  }
}
