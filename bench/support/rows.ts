/** One line of the benchmark's table. */
export interface Row {
  readonly case: string;
  readonly metric: string;
  readonly unit: string;
  readonly median: number;
  readonly p99: number;
  readonly n: number;
}

/** The value below which `share` (0 to 1) of the sorted values lie, nearest rank. */
function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** Collects what the rounds of a benchmark measure, by case and metric, in the order of first appearance. */
export class Measurements {
  readonly #series = new Map<string, { case: string; metric: string; unit: string; values: number[] }>();

  add(of: { case: string; metric: string; unit: string }, value: number): void {
    const key = JSON.stringify([of.case, of.metric]);
    const series = this.#series.get(key) ?? { ...of, values: [] };
    series.values.push(value);
    this.#series.set(key, series);
  }

  rows(): Row[] {
    return [...this.#series.values()].map(({ values, ...of }) => {
      const sorted = values.toSorted((a, b) => a - b);
      return { ...of, median: quantile(sorted, 0.5), p99: quantile(sorted, 0.99), n: sorted.length };
    });
  }
}
