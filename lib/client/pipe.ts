/**
 * `connect --pipe`: standard input and output joined to the service, byte for byte.
 *
 * @module
 */
import type { Duplex } from "node:stream";
import { ExitCode, Failure } from "../errors.ts";
import { StreamError } from "./sealed_stream.ts";

/** Where bytes come from and go to. */
export interface Pipes {
  readonly input: ReadableStream<Uint8Array>;
  /** Writes all of it, or throws. */
  write(chunk: Uint8Array): Promise<void>;
  /** Tells the reader of our output that there is no more. */
  closeOutput(): void;
}

/**
 * Joins them, until both directions have ended. Either may end first.
 *
 * @throws {Failure} 65 when the stream was cut or cannot be believed, 69 when the server is gone.
 */
export async function pipe(service: Duplex, pipes: Pipes): Promise<void> {
  let gone = false;
  service.once("close", () => gone = true);
  const sending = sendAll(service, pipes.input, () => gone);
  // What goes wrong with the connection is told once, by whoever reads from it.
  sending.catch(() => {});
  try {
    const chunks: AsyncIterable<Uint8Array> = service.iterator({ destroyOnReturn: false });
    for await (const chunk of chunks) await pipes.write(chunk);
  } catch (error) {
    throw error instanceof Error && !(error instanceof Deno.errors.BrokenPipe)
      ? ended(error)
      : error;
  }
  pipes.closeOutput();
  await sending;
}

async function sendAll(
  service: Duplex,
  input: ReadableStream<Uint8Array>,
  isGone: () => boolean,
): Promise<void> {
  for await (const chunk of input) {
    // The server has ended, and takes nothing any more.
    if (isGone() || !await write(service, chunk)) return;
  }
  await new Promise<void>((resolve) => service.end(resolve));
}

/** Resolves when the bytes are on their way: false when they never will be. */
function write(service: Duplex, chunk: Uint8Array): Promise<boolean> {
  return new Promise((resolve) => service.write(chunk, (error) => resolve(!error)));
}

function ended(cause: Error): Failure {
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
