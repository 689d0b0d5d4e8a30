/**
 * How output is shown.
 *
 * @module
 */

/** The terminal that output is for. */
export interface View {
  /** Its width in cells; null where it is none, or where lines must stay whole. */
  readonly columns: number | null;
  /** Whether text may be coloured. */
  readonly color: boolean;
}

/** Output for programs: nothing is shortened, nothing coloured. */
export const PLAIN: View = { columns: null, color: false };
