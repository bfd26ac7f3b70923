import type { Aid, Endpoint, InstanceState } from '@appshot/protocol';
import { TimeHistogram } from '../traffic/time-histogram.js';
import type { ConnectionLimits } from './connection.js';
import { LanePool } from './lane-pool.js';

export type LaneLimits = ConnectionLimits & { readonly freshAfterIdleMs: number };

/** What was told of an instance. */
export interface LaneFacts {
  readonly state: InstanceState;
  readonly epoch: number;
  readonly endpoint?: Endpoint | undefined;
  readonly version?: number | undefined;
}

/** Whether the one is what the registry says, one epoch later, of the start that the instance's agent has told before. */
function isRecordOf(told: LaneFacts, known: LaneFacts): boolean {
  return told.state === 'ready' && known.state === 'ready' && told.epoch === known.epoch + 1
    && told.endpoint?.ip === known.endpoint?.ip && told.endpoint?.port === known.endpoint?.port;
}

/** One instance as this gateway sees it: its state, its connections, and what is in flight to it. */
export class Lane {
  readonly aid: Aid;
  facts: LaneFacts;
  /** Of the app; unknown until the route feed has named it. */
  version: number | undefined;
  /** Whether the route feed has named it; until then only a wake's answer or a drain call did. */
  confirmed: boolean;
  /** By `performance.now()`. */
  readonly learntAt: number;
  /** Requests at the instance: from being sent to the end of its response, or of the upgraded connection. */
  inFlight = 0;
  /** Not before this time, for it refused a connection; 0 when it did not. */
  restsUntil = 0;
  /** Since the last traffic report. */
  finished = 0;
  failed = 0;
  readonly times = new TimeHistogram();

  readonly #limits: LaneLimits;
  #watchers: Set<() => void> | undefined;
  #refusals = 0;
  #refusingSince = 0;
  #pool: LanePool | undefined;
  #closing: Promise<void> | undefined;

  constructor(aid: Aid, facts: LaneFacts, { limits, confirmed, now }: { limits: LaneLimits; confirmed: boolean; now: number }) {
    this.aid = aid;
    this.facts = facts;
    this.version = facts.version;
    this.confirmed = confirmed;
    this.learntAt = now;
    this.#limits = limits;
  }

  get ready(): boolean {
    return this.facts.state === 'ready' && this.facts.endpoint !== undefined;
  }

  /** Connections of before are not those of after: a restored instance knows nothing of them. */
  become(facts: LaneFacts): void {
    if (isRecordOf(facts, this.facts)) {
      this.facts = facts;
      return;
    }
    this.facts = facts;
    this.restsUntil = 0;
    this.#refusals = 0;
    this.#retirePool();
    this.#tell();
  }

  /** The pool for a request; the lane is ready. */
  pool(): LanePool {
    this.#pool ??= new LanePool(this.facts.endpoint!, this.#limits);
    return this.#pool;
  }

  left(): void {
    this.inFlight -= 1;
    if (this.inFlight === 0) this.#tell();
  }

  /** It answered; `ms` from being sent to the first byte. */
  answered(ms: number): void {
    this.times.add(ms);
    this.#refusals = 0;
  }

  /** Milliseconds since it began to refuse connections; 0 when it does not. */
  refusingForMs(now: number): number {
    return this.#refusals === 0 ? 0 : now - this.#refusingSince;
  }

  /**
   * It refused a connection: no request goes to it for a while, longer with every time in a row.
   * @returns milliseconds until it may be tried again
   */
  rest(now: number, { refusedPauseMs, refusedPauseMaxMs }: { refusedPauseMs: number; refusedPauseMaxMs: number }): number {
    // Requests that were under way together and failed together are one refusal.
    if (this.restsUntil <= now) {
      if (this.#refusals === 0) this.#refusingSince = now;
      this.restsUntil = now + Math.min(refusedPauseMaxMs, refusedPauseMs * 2 ** this.#refusals);
      this.#refusals += 1;
    }
    return Math.ceil(this.restsUntil - now) + 1;
  }

  /** No connection to the instance is open and nothing is in flight. */
  get quiet(): boolean {
    return this.inFlight === 0 && this.#pool === undefined && this.#closing === undefined;
  }

  /** Told when anything changes that `quiet` or `ready` depend on. Returns how to stop. */
  watch(watcher: () => void): () => void {
    const watchers = this.#watchers ??= new Set();
    watchers.add(watcher);
    return () => {
      watchers.delete(watcher);
      if (watchers.size === 0 && this.#watchers === watchers) this.#watchers = undefined;
    };
  }

  #retirePool(): void {
    const pool = this.#pool;
    if (pool === undefined) return;
    this.#pool = undefined;
    const closing = Promise.all([this.#closing, pool.close()]).then(() => {
      if (this.#closing === closing) this.#closing = undefined;
      this.#tell();
    });
    this.#closing = closing;
  }

  #tell(): void {
    if (this.#watchers !== undefined) for (const watcher of [...this.#watchers]) watcher();
  }
}
