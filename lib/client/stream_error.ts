/**
 * The end of an encrypted stream that is no end.
 *
 * @module
 */

/** The other end broke the protocol, or the connection ended without FIN. The stream has ended. */
export class StreamError extends Error {
  override readonly name = "StreamError";
}
