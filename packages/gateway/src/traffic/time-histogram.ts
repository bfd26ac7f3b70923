/** The shortest and longest times told apart; milliseconds. */
const shortestMs = 0.05;
const longestMs = 900_000;
/** Buckets to each doubling: a quantile is right to 2^(1/16), about 4.4 %. */
const perDoubling = 8;
const buckets = Math.ceil(Math.log2(longestMs / shortestMs) * perDoubling) + 1;

/** Times since the last reset, in fixed memory: one counter for each eighth of a doubling. Nothing before the first: most sites sleep. */
export class TimeHistogram {
  #counts: Uint32Array | undefined;
  #total = 0;

  get count(): number {
    return this.#total;
  }

  add(ms: number): void {
    const bucket = ms <= shortestMs ? 0 : Math.min(buckets - 1, 1 + Math.floor(Math.log2(ms / shortestMs) * perDoubling));
    this.#counts ??= new Uint32Array(buckets);
    this.#counts[bucket]! += 1;
    this.#total += 1;
  }

  /** The time that a share `q` (0 to 1) of all times do not exceed, milliseconds; null without any. */
  quantile(q: number): number | null {
    if (this.#counts === undefined || this.#total === 0) return null;
    const rank = Math.max(1, Math.ceil(q * this.#total));
    let below = 0;
    for (let bucket = 0; bucket < buckets; bucket += 1) {
      below += this.#counts[bucket]!;
      if (below >= rank) return bucket === 0 ? shortestMs : shortestMs * 2 ** ((bucket - 0.5) / perDoubling);
    }
    return longestMs;
  }

  reset(): void {
    this.#counts = undefined;
    this.#total = 0;
  }
}
