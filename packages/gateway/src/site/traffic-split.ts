import type { Route } from '@appshot/protocol';

/** Which of two versions the next request goes to: an exact share, not a chance one, so that ten percent of ten requests is one. */
export class TrafficSplit {
  readonly version: number;
  readonly #percent: number;
  #credit = 0;

  constructor({ version, percent }: NonNullable<Route['trial']>) {
    this.version = version;
    this.#percent = percent;
  }

  /** Whether the next request is for the version on trial. */
  next(): boolean {
    this.#credit += this.#percent;
    if (this.#credit < 100) return false;
    this.#credit -= 100;
    return true;
  }

  is({ version, percent }: NonNullable<Route['trial']>): boolean {
    return version === this.version && percent === this.#percent;
  }
}
