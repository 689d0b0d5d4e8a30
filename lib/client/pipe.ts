/**
 * `connect --pipe`: standard input and output joined to the service, byte for byte.
 *
 * @module
 */
import type { Duplex } from "node:stream";
import { ExitCode, Failure } from "../errors.ts";
import { StreamError } from "./encrypted_stream.ts";

/** Where bytes come from and go to. */
export interface PipeOptions {
  readonly input: ReadableStream<Uint8Array>;
  /** Writes all of it, or throws. */
  write(chunk: Uint8Array): Promise<void>;
  /** Tells the reader of our output that there is no more. */
  closeOutput(): void;
  /**
   * What it means that the server closes first and without a byte; null where it has said before that we
   * are in. On a Unix socket that is all a refused client ever hears.
   */
  readonly onNoData: Failure | null;
}

/**
 * Joins them, until both directions have ended. Either may end first.
 *
 * @throws {Failure} 65 when the stream was cut or cannot be believed, 69 when the server is gone.
 */
export async function pipe(service: Duplex, pipes: PipeOptions): Promise<void> {
  let gone = false;
  let heard = false;
  service.once("close", () => gone = true);
  const sender = { sent: 0, done: false };
  const sending = sendAll(service, pipes.input, () => gone, sender);
  // What goes wrong with the connection is told once, by whoever reads from it.
  sending.catch(() => {});
  try {
    const chunks: AsyncIterable<Uint8Array> = service.iterator({ destroyOnReturn: false });
    for await (const chunk of chunks) {
      heard = true;
      await pipes.write(chunk);
    }
  } catch (error) {
    if (!heard && pipes.onNoData !== null) throw pipes.onNoData;
    throw error instanceof Error && !(error instanceof Deno.errors.BrokenPipe)
      ? ended(error)
      : error;
  }
  // Who has taken all that was sent may well have nothing to answer.
  const isTaken = sender.done && sender.sent > 0;
  if (!heard && !isTaken && pipes.onNoData !== null) throw pipes.onNoData;
  pipes.closeOutput();
  await sending;
}

async function sendAll(
  service: Duplex,
  input: ReadableStream<Uint8Array>,
  isGone: () => boolean,
  sender: { sent: number; done: boolean },
): Promise<void> {
  for await (const chunk of input) {
    // The server has ended, and takes nothing any more.
    if (isGone() || !await write(service, chunk)) return;
    sender.sent += chunk.length;
  }
  sender.done = true;
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
