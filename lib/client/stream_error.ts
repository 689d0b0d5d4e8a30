/**
 * The end of a stream that is no end.
 *
 * @module
 */
import { ExitCode, Failure } from "../errors.ts";
import type { RecordError } from "../net/relay_outcome.ts";

const SENTENCES: Readonly<Record<RecordError, string>> = {
  truncated: "the connection was cut",
  corrupt: "a record was changed on its way",
  malformed: "a record is malformed",
  oversized: "a record is too long",
  unexpected: "the server sent data after its end, or a record out of order",
  exhausted: "it is longer than one key may encrypt",
};

/**
 * The server broke the protocol, or the connection ended without FIN. All bytes that were read
 * before are authentic, and some are missing.
 */
export class StreamError extends Failure {
  /** The name of the class. */
  override readonly name = "StreamError";
  /** What has happened, without the words that the message begins with. */
  readonly why: string;
  /** Whether the connection has gone, as with a server that dies; else the protocol was broken. */
  readonly isCut: boolean;

  /**
   * Makes the error.
   *
   * @param why A sentence without a full stop.
   * @param isCut Whether the connection has gone.
   */
  constructor(why: string, isCut: boolean) {
    super(`The stream is incomplete: ${why}`, { exit: ExitCode.data });
    this.why = why;
    this.isCut = isCut;
  }

  /** The error of a record that cannot be used. */
  static ofRecord(error: RecordError): StreamError {
    return new StreamError(SENTENCES[error], error === "truncated");
  }

  /** The error of a server on TCP that answers nothing any more. */
  static lost(): StreamError {
    return new StreamError(
      "the server acknowledges nothing: it, or the network to it, is gone",
      true,
    );
  }
}
