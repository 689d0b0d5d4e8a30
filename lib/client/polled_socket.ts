/**
 * A Unix socket for a console, without the runtime's own sockets, which take as long to load as the
 * rest of `connect -c` runs.
 *
 * @module
 */
import type { Descriptor } from "../libc/descriptor.ts";
import { POLLIN, POLLOUT, waitInBackground } from "../libc/poll.ts";
import { BROKEN, receive, send, shutdown, WOULD_BLOCK } from "../libc/sockets.ts";

/** The part of a stream that a console uses; a `Duplex` of Node has it. */
export interface ConsoleSocket {
  /** After `close` has been emitted, or {@linkcode ConsoleSocket.destroy} been called. */
  readonly destroyed: boolean;
  readonly readableEnded: boolean;
  readonly errored: Error | null;
  on(event: "data", listener: (chunk: Uint8Array) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "end" | "close", listener: () => void): unknown;
  write(bytes: Uint8Array): unknown;
  destroy(): unknown;
}

const READ_BYTES = 65_536;

/** A connected, non-blocking Unix socket. It reads once there is a listener for `data`. */
export class PolledSocket implements ConsoleSocket {
  readonly errored = null;
  readonly #descriptor: Descriptor;
  readonly #listeners = new Map<string, ((chunk: Uint8Array) => void)[]>();
  #unsent: Uint8Array<ArrayBuffer>[] = [];
  #reading = false;
  #writing = false;
  #destroyed = false;
  #ended = false;

  /** @param descriptor Owned, and closed, by the socket. */
  constructor(descriptor: Descriptor) {
    this.#descriptor = descriptor;
  }

  get destroyed(): boolean {
    return this.#destroyed;
  }

  get readableEnded(): boolean {
    return this.#ended;
  }

  // deno-lint-ignore no-explicit-any -- one signature for the three of the interface
  on(event: string, listener: (argument: any) => void): this {
    this.#listeners.set(event, [...this.#listeners.get(event) ?? [], listener]);
    if (event === "data" && !this.#reading) {
      this.#reading = true;
      void this.#read();
    }
    return this;
  }

  /** Sends bytes after those before. What cannot be sent any more is dropped. */
  write(bytes: Uint8Array): void {
    if (this.#destroyed) return;
    this.#unsent.push(new Uint8Array(bytes));
    if (!this.#writing) void this.#write();
  }

  /** Closes the connection. Nothing is emitted any more but `close`. */
  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#unsent = [];
    // Ends the waits below, after which the descriptor is closed.
    shutdown(this.#descriptor);
    if (!this.#reading && !this.#writing) this.#close();
  }

  async #read(): Promise<void> {
    const buffer = new Uint8Array(READ_BYTES);
    // Not within on(): the other listeners are added after this one.
    await Promise.resolve();
    while (!this.#destroyed) {
      const count = receive(this.#descriptor, buffer);
      if (count > 0) this.#emit("data", buffer.slice(0, count));
      else if (count === WOULD_BLOCK) await waitInBackground(this.#descriptor, POLLIN);
      else {
        this.#ended = true;
        this.#emit(count === BROKEN ? "close" : "end");
        break;
      }
    }
    this.#reading = false;
    if (this.#destroyed && !this.#writing) this.#close();
  }

  async #write(): Promise<void> {
    this.#writing = true;
    for (let bytes = this.#unsent.shift(); bytes !== undefined; bytes = this.#unsent.shift()) {
      while (bytes.length > 0 && !this.#destroyed) {
        const count = send(this.#descriptor, bytes);
        if (count === BROKEN) {
          // A peer that reads no more may stay connected. What it has sent before is still read,
          // and then the end.
          shutdown(this.#descriptor);
          break;
        }
        if (count === WOULD_BLOCK) await waitInBackground(this.#descriptor, POLLOUT);
        else bytes = bytes.subarray(count);
      }
    }
    this.#writing = false;
    if (this.#destroyed && !this.#reading) this.#close();
  }

  #close(): void {
    if (!this.#descriptor.isOpen) return;
    this.#descriptor.close();
    this.#emit("close");
  }

  #emit(event: string, chunk?: Uint8Array): void {
    for (const listener of this.#listeners.get(event) ?? []) listener(chunk!);
  }
}
