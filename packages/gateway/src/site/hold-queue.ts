/** First come, first served; those that were sent out and came back (their instance refused them) go first. */
export class HoldQueue<T> {
  // Sets keep the order of arrival and let a visitor who gives up leave from the middle. There are none while nobody waits.
  #returned: Set<T> | undefined;
  #waiting: Set<T> | undefined;

  get size(): number {
    return (this.#returned?.size ?? 0) + (this.#waiting?.size ?? 0);
  }

  push(item: T): void {
    (this.#waiting ??= new Set()).add(item);
  }

  giveBack(item: T): void {
    (this.#returned ??= new Set()).add(item);
  }

  shift(): T | undefined {
    for (const item of this) {
      this.delete(item);
      return item;
    }
    return undefined;
  }

  /** False when it did not wait here. */
  delete(item: T): boolean {
    const was = this.#returned?.delete(item) === true || this.#waiting?.delete(item) === true;
    if (this.size === 0) this.#returned = this.#waiting = undefined;
    return was;
  }

  *[Symbol.iterator](): Generator<T> {
    if (this.#returned !== undefined) yield* this.#returned;
    if (this.#waiting !== undefined) yield* this.#waiting;
  }
}
