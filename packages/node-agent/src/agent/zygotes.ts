import type { AppName } from '@appshot/protocol';
import { FarmError, type Logger } from '@appshot/runtime';
import type { Engine } from '../engine/engine.js';

/**
 * Which templates have their memory resident on this node, so that a clone is a fork: those of apps that run here, as far as the
 * scheduler leaves them. A zygote holds as much as the app itself, so it goes when the app's last instance goes: a site that
 * sleeps uses no memory.
 */
export class Zygotes {
  readonly #engine: Pick<Engine, 'warm'>;
  readonly #logger: Logger;
  /** The newest template of each app that has one resident here. */
  readonly #resident = new Map<AppName, string>();

  constructor(engine: Pick<Engine, 'warm'>, logger: Logger) {
    this.#engine = engine;
    this.#logger = logger;
  }

  /** The app runs here and has this template: its next clone will be wanted in a hurry. */
  keep(app: AppName, image: string): void {
    const before = this.#resident.get(app);
    if (before === image) return;
    this.#resident.set(app, image);
    if (before !== undefined) void this.#warm(before, false);
    void this.#warm(image, true);
  }

  /** Those that are resident. */
  list(): { app: AppName; image: string }[] {
    return [...this.#resident].map(([app, image]) => ({ app, image }));
  }

  /** No instance of the app is left here, or the memory is wanted for something else. */
  release(app: AppName): void {
    const image = this.#resident.get(app);
    if (image === undefined) return;
    this.#resident.delete(app);
    void this.#warm(image, false);
  }

  async #warm(image: string, resident: boolean): Promise<void> {
    try {
      await this.#engine.warm(image, resident);
    } catch (err) {
      // A clone without a zygote is slower, not wrong; an image that is gone has none.
      if (FarmError.from(err).code !== 'not-found') this.#logger.warn({ err, image, resident }, 'a template\'s memory could not be made resident or let go');
    }
  }
}
