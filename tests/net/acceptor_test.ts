/** An acceptor owns its listener, also when it cannot be made. */
import { assertEquals } from "@std/assert";
import { bind, listen, unixSocket } from "../../lib/libc/sockets.ts";
import { unixAddress } from "../../lib/libc/unix_address.ts";
import { Acceptor } from "../../lib/net/acceptor.ts";
import { Reactor } from "../../lib/reactor/reactor.ts";
import { childLine, output } from "../support/processes.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

Deno.test("a listener without a descriptor to spare gives everything back", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.at("a.sock");
  for (const address of [path, "tcp"]) {
    const answer = await output(childLine("accept-without-descriptors", address));
    // The address is free again, at once and in the same process.
    assertEquals(JSON.parse(answer), ["EMFILE", false, true], address);
  }
});

Deno.test("an acceptor releases its address although its watch cannot be ended", () => {
  using directory = new TemporaryDirectory();
  const reactor = new Reactor();
  const socket = unixSocket();
  bind(socket, unixAddress(directory.at("a.sock")));
  listen(socket, 1);
  const steps: string[] = [];
  const listener = {
    socket,
    unlink: () => void steps.push("unlinked"),
    release: () => void steps.push("released"),
  };
  const acceptor = new Acceptor(reactor, listener, {
    beforeBatch: () => 0,
    onConnection: (connection) => connection.close(),
    onResourceExhausted: (connection) => connection.close(),
    onError: () => void steps.push("error"),
  });
  // Its epoll instance is gone, so EPOLL_CTL_DEL fails.
  reactor.close();
  acceptor.close();
  assertEquals([steps, socket.isOpen], [["unlinked", "error", "released"], false]);
});
