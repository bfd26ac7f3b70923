import { nodeLoad, type Millis, type NodeLoad } from '@appshot/protocol';
import type { Registry } from '@appshot/registry';
import type { Bus, Logger } from '@appshot/runtime';
import type { Engine, InstanceRow } from '../engine/engine.js';
import type { AgentMetrics, ImagesHeld } from './agent-metrics.js';
import type { InstanceCards } from './instance-cards.js';
import type { NodeMeter } from './node-meter.js';
import type { Zygotes } from './zygotes.js';

export interface HeartbeatParts {
  readonly node: string;
  readonly bus: Bus;
  readonly registry: Pick<Registry, 'nodes'>;
  readonly engine: Pick<Engine, 'list'>;
  readonly cards: InstanceCards;
  readonly zygotes: Pick<Zygotes, 'list'>;
  readonly meter: NodeMeter;
  readonly metrics: AgentMetrics;
  readonly logger: Logger;
}

const everyMs = 1_000;
/** The images are counted only so often: a node may have thousands, each a file to be read. */
const imagesEveryBeats = 10;

/** Says every second what the node has and uses: to the schedulers over NATS, and to the registry. */
export class Heartbeat {
  readonly #parts: HeartbeatParts;
  #lastCpuUs = new Map<string, number>();
  #lastAt: Millis | null = null;
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> | null = null;
  #registering: Promise<void> | null = null;
  #failed = false;
  #beats = 0;
  #images: ImagesHeld = { count: 0, bytes: 0 };

  constructor(parts: HeartbeatParts) {
    this.#parts = parts;
  }

  /** Resolves after the first beat: from then on schedulers know the node. */
  async start(): Promise<void> {
    await this.#beat();
    await this.#registering;
    this.#timer = setInterval(() => {
      // A beat that takes longer than its second is not followed by a queue of others.
      this.#beating ??= this.#beat().finally(() => { this.#beating = null; });
    }, everyMs);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#beating;
    await this.#registering;
  }

  async #beat(): Promise<void> {
    const { bus, metrics, node } = this.#parts;
    try {
      const { load, images } = await this.#measure(node);
      bus.publish(nodeLoad, load);
      metrics.show(load, images);
      // Not waited for: while Redis is away, schedulers still hear the node over NATS.
      this.#registering ??= this.#register(load).finally(() => { this.#registering = null; });
    } catch (err) {
      this.#complain(err, 'the node could not be measured');
    }
  }

  async #register(load: NodeLoad): Promise<void> {
    try {
      await this.#parts.registry.nodes.heartbeat(load);
      this.#failed = false;
    } catch (err) {
      this.#complain(err, 'the heartbeat did not reach the registry');
    }
  }

  /** Once for each outage, not once a second. */
  #complain(err: unknown, what: string): void {
    if (!this.#failed) this.#parts.logger.warn({ err }, what);
    this.#failed = true;
  }

  async #measure(node: string): Promise<{ load: NodeLoad; images: ImagesHeld }> {
    const at = Date.now();
    const withImages = this.#beats++ % imagesEveryBeats === 0;
    const [use, { running, images, podsFree }] = await Promise.all([this.#parts.meter.read(), this.#parts.engine.list({ images: withImages })]);
    if (withImages) this.#images = { count: images.length, bytes: images.reduce((sum, { bytes }) => sum + bytes, 0) };
    const cpuUsed = this.#cpuUsed(running, at);
    const instances = running.map(({ aid, pids, memoryBytes }) => ({ aid, epoch: this.#parts.cards.epochOf(aid), pids, memoryBytes, cpuUsed: cpuUsed.get(aid) ?? 0 }));
    return { load: { node, at, ...use, slotsFree: podsFree, instances, zygotes: this.#parts.zygotes.list() }, images: this.#images };
  }

  /** CPUs that each instance used since the last beat. An instance seen for the first time counts from now on. */
  #cpuUsed(running: readonly InstanceRow[], at: Millis): Map<string, number> {
    const sinceUs = (at - (this.#lastAt ?? at)) * 1000;
    const used = running.map(({ aid, cpuUs }) => {
      const spentUs = Math.max(0, cpuUs - (this.#lastCpuUs.get(aid) ?? cpuUs));
      return [aid, sinceUs > 0 ? spentUs / sinceUs : 0] as const;
    });
    this.#lastCpuUs = new Map(running.map(({ aid, cpuUs }) => [aid, cpuUs]));
    this.#lastAt = at;
    return new Map(used);
  }
}
