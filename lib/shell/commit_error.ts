/**
 * A commit that was refused, because the configuration has changed since its draft was begun.
 *
 * @module
 */

/** The error, with what a person reads about it. */
export class CommitError extends Error {
  override readonly name = "CommitError";
  readonly hint: string;
  /** What has changed since, as configuration lines. */
  readonly difference: string;

  constructor(message: string, hint: string, difference: string) {
    super(message);
    this.hint = hint;
    this.difference = difference;
  }
}
