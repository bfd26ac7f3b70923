/** Parts that are remembered to be shared; a farm has a handful, and more when it is upgraded. */
const most = 1_000;
/** Longer ones are hardly ever alike. Characters of JSON. */
const longest = 1_000;

/** Keeps what equal values have in common once: the parts of a value that say the same as one seen before are replaced by that one. */
export class Commons {
  readonly #parts = new Map<string, unknown>();

  /** @returns a value that says the same; neither it nor any part of it may be changed from then on */
  share<T extends object>(value: T): T {
    const entries = Object.entries(value).map(([key, part]) => [key, this.#shared(part)] as const);
    return Object.fromEntries(entries) as T;
  }

  #shared(part: unknown): unknown {
    if (typeof part !== 'object' || part === null) return part;
    const text = JSON.stringify(part);
    if (text.length > longest) return part;
    const known = this.#parts.get(text);
    if (known !== undefined) return known;
    if (this.#parts.size >= most) this.#parts.clear();
    this.#parts.set(text, part);
    return part;
  }
}
