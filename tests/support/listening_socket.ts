/** A Unix socket that listens in a directory of its own. */
import { bind, listen, unixSocket } from "../../lib/libc/sockets.ts";
import { unixAddress } from "../../lib/libc/unix_address.ts";

/** The socket. Every user may connect to it. */
export class ListeningSocket {
  readonly descriptor = unixSocket();
  readonly directory = Deno.makeTempDirSync();
  readonly path = `${this.directory}/s`;

  /** @param backlog How many connections may wait to be accepted. */
  constructor(backlog = 16) {
    Deno.chmodSync(this.directory, 0o755);
    bind(this.descriptor, unixAddress(this.path));
    Deno.chmodSync(this.path, 0o777);
    listen(this.descriptor, backlog);
  }

  [Symbol.dispose](): void {
    this.descriptor.close();
    Deno.removeSync(this.directory, { recursive: true });
  }
}
