export type TrialPlan =
  | { readonly kind: 'grow' | 'shrink'; readonly count: number; readonly desired: number }
  | { readonly kind: 'hold'; readonly desired: number };

/**
 * How many instances a version on trial should have: as many for its share of the requests as the current version has for the
 * rest, and one at least.
 *
 * Worked: 20 percent beside 8 instances of the current version, which have 80: 8 * 20/80 = 2.
 * @param percent 1 to 99
 */
export function planTrial({ percent, current, trial, max }: { percent: number; current: number; trial: number; max: number }): TrialPlan {
  const desired = Math.min(max, Math.max(1, Math.ceil(current * percent / (100 - percent))));
  if (trial === desired) return { kind: 'hold', desired };
  return { kind: trial < desired ? 'grow' : 'shrink', count: Math.abs(desired - trial), desired };
}
