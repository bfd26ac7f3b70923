import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Aid, AppName, InstanceComing, NodeWoke } from '@appshot/protocol';
import type { Registry } from '@appshot/registry';
import type { Logger } from '@appshot/runtime';
import type { Engine } from '../engine/engine.js';
import type { InstanceCards } from './instance-cards.js';
import { parseMemory } from './node-meter.js';
import type { NodeOperations } from './node-operations.js';

export interface OwnWakesParts {
  readonly node: string;
  readonly engine: Pick<Engine, 'beginWake'>;
  readonly registry: Pick<Registry, 'instances'>;
  readonly cards: InstanceCards;
  readonly operations: Pick<NodeOperations, 'restore'>;
  readonly logger: Logger;
  /** Tells the gateways, which have something to send to it. */
  readonly tellComing: (coming: InstanceComing) => void;
  /** Tells a scheduler, which writes the history. */
  readonly tellWoke: (woke: NodeWoke) => void;
}

/** Part of the node's memory that has to be left for it to decide by itself. With less, what wakes may push somebody out: a scheduler's to say. */
const plenty = 0.2;
const because = 'a visitor came';
/** What is left to do when the program runs, nobody waits for, and it would take the CPU from the program's first answer. Milliseconds. */
const recordAfterMs = 25;
/** Memory that a wake under way is taken to want and does not show yet, bytes. */
const underWayBytes = 64e6;

/**
 * What an agent does when a visitor comes to an instance that sleeps here: begins the wake, and decides and records it where there is
 * nothing to weigh. The decision is the registry's claim, the same as a scheduler's: a site is woken once, whoever is quicker (ADR 0130).
 */
export class OwnWakes {
  readonly #parts: OwnWakesParts;
  readonly #mayDecide: (underWay: number) => boolean;
  /** Wakes that are decided here, until they are recorded. */
  readonly #underWay = new Set<Promise<void>>();
  readonly #closing = new AbortController();

  /** @param mayDecide whether there is room enough beside that many wakes under way */
  constructor(parts: OwnWakesParts, mayDecide: (underWay: number) => boolean = hasPlenty) {
    this.#parts = parts;
    this.#mayDecide = mayDecide;
  }

  /** What goes wrong here is left as it is: when the gateway hears nothing, it asks a scheduler, who takes it up from the registry. */
  visitorCame({ app, aid }: { readonly app: AppName; readonly aid: Aid }): void {
    const { cards, engine, logger, tellComing } = this.#parts;
    const card = cards.get(aid);
    if (card?.app !== app || card.goneAt !== null) return;
    engine.beginWake(aid)
      .then(({ ip }) => { if (ip !== undefined && card.port > 0) tellComing({ app, aid, endpoint: { ip, port: card.port } }); })
      .catch((err: unknown) => logger.debug({ err, aid }, 'a wake could not be begun'));
    if (!this.#mayDecide(this.#underWay.size)) return;
    const wake = this.#decide(app, aid, card.port)
      .catch((err: unknown) => logger.debug({ err, aid }, 'a wake could not be decided here'))
      .finally(() => this.#underWay.delete(wake));
    this.#underWay.add(wake);
  }

  /** Resolves when what was begun is recorded, which is done at once now. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#underWay);
  }

  async #decide(app: AppName, aid: Aid, port: number): Promise<void> {
    const { node, operations, registry, tellWoke } = this.#parts;
    const heardAt = performance.now();
    const claim = await registry.instances.claimSleeper({ app, aid, node, now: Date.now(), reason: because });
    if (claim.kind !== 'claimed') return;
    const { epoch } = claim.record;
    const decide = performance.now() - heardAt;
    const { endpoint, pids, phases } = await operations.restore({ aid, epoch, app, port, decideMs: decide });
    await delay(recordAfterMs, undefined, { signal: this.#closing.signal }).catch(() => undefined);
    const from = performance.now();
    await registry.instances.transition({ aid, from: ['restoring'], to: 'ready', epoch, reason: because, now: Date.now(), patch: { endpoint, pids } });
    tellWoke({ node, app, aid, because, phases: { decide, ...phases, record: performance.now() - from } });
  }
}

function hasPlenty(underWay: number): boolean {
  // Read at once: the heartbeat's reading may be a second old. It takes some 30 microseconds.
  const { totalBytes, availableBytes } = parseMemory(readFileSync('/proc/meminfo', 'utf8'));
  return availableBytes - underWay * underWayBytes > plenty * totalBytes;
}
