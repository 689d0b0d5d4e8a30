/**
 * What all relays of a thread share: their memory, and the watch on their peers.
 *
 * @module
 */
import { PeerWatch } from "./peer_watch.ts";
import { RelayPipe } from "./relay_pipe.ts";
import { USER_TIMEOUT_MS } from "../libc/tcp_socket.ts";

/** How many chunks one direction moves per turn of the reactor. */
export const CHUNKS_PER_TURN = 4;
/** How many bytes are read at once. */
export const CHUNK = 256 * 1024;
/**
 * From how many bytes of one read on a stream is moved by `splice(2)`, which has a cost of its own:
 * two more system calls, and a page reference for each piece.
 */
export const BULK = 64 * 1024;

/** Buffers for one chunk at a time. They hold nothing between two calls. */
export class RelayBuffers {
  readonly read = new Uint8Array(CHUNK);
  readonly pipe = new RelayPipe(CHUNK);
  readonly peers: PeerWatch;
  /**
   * How long a peer may take nothing of the last bytes that a relay has for it, in milliseconds.
   */
  readonly peerTimeoutMs: number;
  #opened = new Uint8Array(CHUNK);
  #sealed = new Uint8Array(CHUNK);

  /** @param peerTimeoutMs How long a peer may acknowledge nothing, in milliseconds. */
  constructor(peerTimeoutMs: number = USER_TIMEOUT_MS) {
    this.peers = new PeerWatch(peerTimeoutMs);
    this.peerTimeoutMs = peerTimeoutMs;
  }

  /** A buffer for decrypted bytes. @param length Its least length, in bytes. */
  spaceToOpen(length: number): Uint8Array<ArrayBuffer> {
    if (this.#opened.length < length) this.#opened = new Uint8Array(length);
    return this.#opened;
  }

  /** A buffer for encrypted bytes. @param length Its least length, in bytes. */
  spaceToSeal(length: number): Uint8Array<ArrayBuffer> {
    if (this.#sealed.length < length) this.#sealed = new Uint8Array(length);
    return this.#sealed;
  }
}
