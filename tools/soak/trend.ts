/** Whether a figure stays where it is. */

/** A straight line through samples (least squares). */
export interface Trend {
  /** The mean of the samples. */
  readonly mean: number;
  /** By how much the line rises from the first sample to the last. */
  readonly rise: number;
  /** The standard error of the rise. */
  readonly error: number;
}

/** Fits a line to samples that were taken at equal distances; at least three. */
export function trendOf(samples: readonly number[]): Trend {
  const count = samples.length;
  const mean = samples.reduce((sum, one) => sum + one, 0) / count;
  const middle = (count - 1) / 2;
  let products = 0;
  let squares = 0;
  samples.forEach((one, index) => {
    products += (index - middle) * (one - mean);
    squares += (index - middle) ** 2;
  });
  const slope = products / squares;
  const residue = samples.reduce(
    (sum, one, index) => sum + (one - mean - slope * (index - middle)) ** 2,
    0,
  );
  const error = Math.sqrt(residue / (count - 2) / squares);
  return { mean, rise: slope * (count - 1), error: error * (count - 1) };
}

/**
 * Whether samples rise: by more than three standard errors, and by more than a part of the mean
 * that matters. The first half of a run is left out: caches and heaps fill.
 *
 * @param part The part of the mean, such as 0.05.
 */
export function rises(samples: readonly number[], part: number): boolean {
  const half = samples.slice(Math.floor(samples.length / 2));
  if (half.length < 10) return false;
  const { mean, rise, error } = trendOf(half);
  return rise > 3 * error && rise > part * mean;
}

/** The value below which a part of some values lies. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? NaN;
}
