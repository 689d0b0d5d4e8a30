/**
 * `connect --pipe`: copies standard input to the service, and the service to standard output.
 *
 * @module
 */
import type { Duplex } from "node:stream";
import { ExitCode, Failure } from "../errors.ts";
import { StreamError } from "./encrypted_stream.ts";

/** The two ends of the program's side. */
export interface PipeOptions {
  readonly input: ReadableStream<Uint8Array>;
  /** Writes all of a chunk to the output. */
  write(chunk: Uint8Array): Promise<void>;
  /** Closes the output: its reader sees end-of-file. */
  closeOutput(): void;
  /**
   * The failure to throw when the server closes first and without a byte; null where the access
   * check has accepted the client before. On a Unix socket a refused client sees nothing else.
   */
  readonly onNoData: Failure | null;
}

/**
 * Copies in both directions until both have ended. Either may end first.
 *
 * @param service The connection.
 * @throws {Failure} `onNoData`, 65 when the stream was truncated or changed, 69 when the connection
 * broke.
 * @throws {Deno.errors.BrokenPipe} When the output's reader has closed its end.
 */
export async function pipe(service: Duplex, pipes: PipeOptions): Promise<void> {
  let closed = false;
  let received = false;
  service.once("close", () => closed = true);
  const sender = { sent: 0, done: false };
  const sending = sendAll(service, pipes.input, () => closed, sender);
  // An error of the connection is reported once, by the loop that reads.
  sending.catch(() => {});
  try {
    const chunks: AsyncIterable<Uint8Array> = service.iterator({ destroyOnReturn: false });
    for await (const chunk of chunks) {
      received = true;
      await pipes.write(chunk);
    }
  } catch (error) {
    if (!received && pipes.onNoData !== null) throw pipes.onNoData;
    throw error instanceof Error && !(error instanceof Deno.errors.BrokenPipe)
      ? brokenStream(error)
      : error;
  }
  // A service that has taken all of the input may have nothing to answer: that is no refusal.
  const isTaken = sender.done && sender.sent > 0;
  if (!received && !isTaken && pipes.onNoData !== null) throw pipes.onNoData;
  pipes.closeOutput();
  await sending;
}

async function sendAll(
  service: Duplex,
  input: ReadableStream<Uint8Array>,
  isClosed: () => boolean,
  sender: { sent: number; done: boolean },
): Promise<void> {
  for await (const chunk of input) {
    // The server has closed: the rest of the input is not read.
    if (isClosed() || !await write(service, chunk)) return;
    sender.sent += chunk.length;
  }
  sender.done = true;
  await new Promise<void>((resolve) => service.end(resolve));
}

/** Resolves when the kernel has taken the bytes; to false when it never will. */
function write(service: Duplex, chunk: Uint8Array): Promise<boolean> {
  return new Promise((resolve) => service.write(chunk, (error) => resolve(!error)));
}

/** The failure of a connection that ended with an error. */
function brokenStream(cause: Error): Failure {
  if (cause instanceof StreamError) {
    return new Failure(`The stream is incomplete: ${cause.message}`, {
      exit: ExitCode.data,
      cause,
    });
  }
  return new Failure("The server has closed the connection before its end", {
    exit: ExitCode.unavailable,
    cause,
  });
}
