/** The statistics of few samples: medians, quartiles, and a rank test. */

/** A median and the quartiles around it. */
export interface Spread {
  readonly low: number;
  readonly median: number;
  readonly high: number;
}

/** A quantile, interpolated between the two samples beside it. */
function quantile(sorted: readonly number[], fraction: number): number {
  const at = (sorted.length - 1) * fraction;
  const below = Math.trunc(at);
  const [low, high] = [sorted[below]!, sorted[Math.min(below + 1, sorted.length - 1)]!];
  return low + (high - low) * (at - below);
}

/** The median and the quartiles of one sample or more. */
export function spreadOf(samples: readonly number[]): Spread {
  const sorted = [...samples].sort((a, b) => a - b);
  return {
    low: quantile(sorted, 0.25),
    median: quantile(sorted, 0.5),
    high: quantile(sorted, 0.75),
  };
}

/**
 * The ratios of two sides, round by round: the speed of the machine may change between rounds.
 *
 * @param above The numerators.
 * @param below The denominators, of the same rounds.
 */
export function ratios(above: readonly number[], below: readonly number[]): readonly number[] {
  const rounds = Math.min(above.length, below.length);
  return above.slice(0, rounds).map((value, round) => value / below[round]!);
}

/**
 * The probability that two samples from one distribution have ranks that differ at least as much as
 * these: the exact Mann-Whitney test, on both sides. Equal values share a rank.
 */
export function rankTest(a: readonly number[], b: readonly number[]): number {
  const all = [...a, ...b].sort((x, y) => x - y);
  // Twice the middle of the ranks of equal values, so that it is whole.
  const rankOf = (value: number) => all.indexOf(value) + all.lastIndexOf(value);
  const ranks = all.map(rankOf);
  const observed = a.reduce((sum, value) => sum + rankOf(value), 0);
  const expected = a.length * (all.length - 1);
  // How many choices of so many values have a sum of ranks.
  const ways: Map<number, number>[] = Array.from({ length: a.length + 1 }, () => new Map());
  ways[0]!.set(0, 1);
  for (const rank of ranks) {
    for (let count = a.length; count > 0; count--) {
      for (const [sum, number] of ways[count - 1]!) {
        const next = ways[count]!;
        next.set(sum + rank, (next.get(sum + rank) ?? 0) + number);
      }
    }
  }
  let extreme = 0, total = 0;
  for (const [sum, number] of ways[a.length]!) {
    total += number;
    if (Math.abs(sum - expected) >= Math.abs(observed - expected)) extreme += number;
  }
  return extreme / total;
}
