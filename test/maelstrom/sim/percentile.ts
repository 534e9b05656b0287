/**
 * The smallest of `sorted` that at least a `share` of them do not exceed; `undefined` of nothing.
 *
 * @param share - Above 0, up to 1.
 */
export function percentile(sorted: readonly number[], share: number): number | undefined {
  return sorted[Math.ceil(sorted.length * share) - 1];
}
