/** First come, first served; those that were sent out and came back (their instance refused them) go first. */
export class HoldQueue<T> {
  // Sets keep the order of arrival and let a visitor who gives up leave from the middle.
  readonly #returned = new Set<T>();
  readonly #waiting = new Set<T>();

  get size(): number {
    return this.#returned.size + this.#waiting.size;
  }

  push(item: T): void {
    this.#waiting.add(item);
  }

  giveBack(item: T): void {
    this.#returned.add(item);
  }

  shift(): T | undefined {
    const from = this.#returned.size > 0 ? this.#returned : this.#waiting;
    for (const item of from) {
      from.delete(item);
      return item;
    }
    return undefined;
  }

  /** False when it did not wait here. */
  delete(item: T): boolean {
    return this.#returned.delete(item) || this.#waiting.delete(item);
  }

  *[Symbol.iterator](): Generator<T> {
    yield* this.#returned;
    yield* this.#waiting;
  }
}
