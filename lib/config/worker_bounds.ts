/**
 * How many data planes a server may have: for the file, the command line and the memory that the
 * planes share.
 *
 * @module
 */

/** The bounds of `workers:` and `--workers`. */
export const WORKER_BOUNDS = { min: 1, max: 64 } as const;
