/** Operations that this scheduler has begun and not ended, by name: whoever wants the same one joins it. */
export class Underway {
  readonly #running = new Map<string, Promise<unknown>>();

  join<T>(name: string, work: () => Promise<T>): Promise<T> {
    const running = this.#running.get(name);
    if (running !== undefined) return running as Promise<T>;
    const begun = work().finally(() => this.#running.delete(name));
    this.#running.set(name, begun);
    return begun;
  }

  has(name: string): boolean {
    return this.#running.has(name);
  }

  /** Resolves when nothing is under way any more. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running.values());
  }
}
