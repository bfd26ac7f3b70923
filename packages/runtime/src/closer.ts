import type { Logger } from './logger.js';
import { settleWithin } from './settle-within.js';

export interface CloserOptions {
  logger?: Logger | undefined;
  /** Milliseconds that one step may take before the next begins. */
  stepWithinMs?: number | undefined;
}

/**
 * Closes what was opened, last in first out. A step that fails or takes too long is logged and does not keep the
 * others from running.
 */
export class Closer {
  readonly #logger: Logger | undefined;
  readonly #stepWithinMs: number;
  readonly #steps: { name: string; close: () => Promise<void> | void }[] = [];
  #closing: Promise<void> | undefined;

  constructor({ logger, stepWithinMs = 10_000 }: CloserOptions = {}) {
    this.#logger = logger;
    this.#stepWithinMs = stepWithinMs;
  }

  /** What is added while or after closing is closed by that same or at once: a start that was overtaken leaks nothing. */
  add(name: string, close: () => Promise<void> | void): void {
    this.#steps.push({ name, close });
    if (this.#closing) this.#closing = this.#closing.then(() => this.#run());
  }

  /** Never rejects; the second call waits for the first. */
  close(): Promise<void> {
    this.#closing ??= this.#run();
    return this.#closing;
  }

  async #run(): Promise<void> {
    for (let step = this.#steps.pop(); step; step = this.#steps.pop()) {
      const { name, close } = step;
      const outcome = await settleWithin(async () => close(), this.#stepWithinMs);
      if (outcome.kind === 'failed') this.#logger?.error({ err: outcome.error, step: name }, 'closing failed');
      if (outcome.kind === 'late') this.#logger?.error({ step: name, withinMs: this.#stepWithinMs }, 'closing took too long; going on');
    }
  }
}
