import type { FarmEvent, InstanceRecord, Phases } from '@appshot/protocol';
import type { Registry } from '@appshot/registry';
import type { Logger } from '@appshot/runtime';
import type { Meters } from './meters.js';

interface Told {
  readonly type: FarmEvent['type'];
  readonly because: string;
  readonly phases?: Phases | undefined;
  readonly facts?: Readonly<Record<string, unknown>> | undefined;
}

/** Writes what was decided and done. Nobody waits for it: a visitor is not kept for the sake of the history. */
export class EventLog {
  readonly #registry: Registry;
  readonly #meters: Meters;
  readonly #logger: Logger;
  readonly #writing = new Set<Promise<void>>();

  constructor(registry: Registry, meters: Meters, logger: Logger) {
    this.#registry = registry;
    this.#meters = meters;
    this.#logger = logger;
  }

  /** Something about one instance. */
  ofInstance(record: Pick<InstanceRecord, 'app' | 'aid' | 'node'>, told: Told): void {
    this.#say({ app: record.app, aid: record.aid, node: record.node, ...told });
  }

  /** Something about an app as a whole. */
  ofApp(app: string, told: Told): void {
    this.#say({ app, aid: null, node: null, ...told });
  }

  /** Something about a role of the farm. */
  ofRole(node: string, told: Told): void {
    this.#say({ app: null, aid: null, node, ...told });
  }

  /** Resolves when everything said so far is written, or could not be. */
  async flush(): Promise<void> {
    await Promise.all(this.#writing);
  }

  #say({ type, because, phases, facts, ...who }: Told & Pick<FarmEvent, 'app' | 'aid' | 'node'>): void {
    const event: FarmEvent = {
      at: Date.now(), type, ...who, because,
      ...(phases && { phases: rounded(phases) }),
      ...(facts && { facts: { ...facts } }),
    };
    this.#meters.decisions.inc({ type });
    this.#logger.info({ event }, type);
    const writing = this.#registry.events.append(event)
      .then(() => undefined, (err: unknown) => this.#logger.warn({ err, event }, 'an event could not be written'))
      .finally(() => this.#writing.delete(writing));
    this.#writing.add(writing);
  }
}

/** Microseconds are as exact as anybody reads them. */
function rounded(phases: Phases): Phases {
  return Object.fromEntries(Object.entries(phases).map(([name, ms]) => [name, Math.round(ms * 1000) / 1000]));
}
