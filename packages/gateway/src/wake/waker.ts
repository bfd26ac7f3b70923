import { setTimeout as delay } from 'node:timers/promises';
import { type ErrorCode, visitorCame, wake, type WakeReply } from '@appshot/protocol';
import { type Bus, FarmError, type Logger } from '@appshot/runtime';
import type { Site } from '../site/site.js';

export interface WakerOptions {
  /** This gateway's name. */
  readonly id: string;
  readonly agentDecidesWithinMs: number;
  readonly wakeAskAgainMs: number;
  readonly wakePauseMs: number;
  readonly wakePauseMaxMs: number;
}

export interface WakerHooks {
  woken(site: Site, reply: Extract<WakeReply, { kind: 'ready' }>, tookMs: number): void;
  /** By its own agent, whose word the site has. */
  wokenByAgent(site: Site, tookMs: number): void;
  /** Everybody who waits has to be told. */
  refused(site: Site, refusal: { because: string; retryAfterS: number }): void;
}

/** Seconds after which a visitor may come again when the farm cannot say. */
const retryAfterS = 5;

/** Nobody was there, or somebody else was quicker: asked again it may well do. */
const passing: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['unavailable', 'timeout', 'stale-epoch', 'illegal-transition']);

/**
 * Asks the scheduler for an instance: once per site, however many wait (`Site.waking`). As long as somebody waits and
 * nothing is ready it goes on asking; asking twice does no harm. A wake is only refused by a scheduler: that none can be
 * reached is no reason to send a visitor away before its time is over.
 */
export class Waker {
  readonly #bus: Bus;
  readonly #options: WakerOptions;
  readonly #hooks: WakerHooks;
  readonly #logger: Logger;
  readonly #ended = new AbortController();

  constructor(bus: Bus, options: WakerOptions, { hooks, logger }: { hooks: WakerHooks; logger: Logger }) {
    this.#bus = bus;
    this.#options = options;
    this.#hooks = hooks;
    this.#logger = logger;
  }

  wake(site: Site): void {
    if (site.waking || this.#ended.signal.aborted) return;
    site.waking = true;
    void this.#run(site);
  }

  close(): void {
    this.#ended.abort();
  }

  async #run(site: Site): Promise<void> {
    let pauseMs = this.#options.wakePauseMs;
    // No await between this check and `waking = false`: whoever comes later starts anew.
    while (!this.#ended.signal.aborted && site.needsWake(performance.now())) {
      const done = await this.#askOnce(site);
      if (done && !site.needsWake(performance.now())) continue;
      await delay(pauseMs, undefined, { signal: this.#ended.signal }).catch(() => undefined);
      pauseMs = Math.min(this.#options.wakePauseMaxMs, pauseMs * 2);
    }
    site.waking = false;
  }

  /** False when nobody could be asked, or only at a bad moment. */
  async #askOnce(site: Site): Promise<boolean> {
    const { id, wakeAskAgainMs } = this.#options;
    const since = performance.now();
    try {
      if (await this.#wokenByAgent(site)) {
        this.#hooks.wokenByAgent(site, performance.now() - since);
        return true;
      }
      const reply = await this.#bus.call(wake, { app: site.app, gateway: id }, { timeoutMs: wakeAskAgainMs });
      if (reply.kind === 'ready') this.#hooks.woken(site, reply, performance.now() - since);
      else this.#hooks.refused(site, reply);
      return true;
    } catch (thrown) {
      const error = FarmError.from(thrown);
      if (passing.has(error.code)) return false;
      this.#logger.error({ err: thrown, app: site.app }, 'a wake failed');
      this.#hooks.refused(site, { because: error.message, retryAfterS });
      return true;
    }
  }

  /** The agent where it sleeps decides by itself when it has room (ADR 0130), and tells every gateway. Otherwise it is a scheduler's to decide. */
  async #wokenByAgent(site: Site): Promise<boolean> {
    const { sleeper } = site;
    if (sleeper === undefined) return false;
    this.#bus.publish(visitorCame, { app: site.app, aid: sleeper.aid });
    await new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        stop();
        resolve();
      };
      const timer = setTimeout(end, this.#options.agentDecidesWithinMs);
      const stop = sleeper.watch(() => { if (sleeper.ready) end(); });
    });
    return sleeper.ready;
  }
}
