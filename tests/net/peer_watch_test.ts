/** A peer on TCP that has gone is told from one that is slow. */
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { resolveHost } from "../../lib/libc/inet_address.ts";
import { accept, bind, connect, listen, receive, send } from "../../lib/libc/sockets.ts";
import { readOption } from "../../lib/libc/socket_options.ts";
import { tcpSocket, unacknowledgedBytes, USER_TIMEOUT_MS } from "../../lib/libc/tcp_socket.ts";
import { PeerWatch } from "../../lib/net/peer_watch.ts";
import { TcpListener } from "../../lib/net/tcp_listener.ts";
import { Reactor } from "../../lib/reactor/reactor.ts";
import { isRoot, output } from "../support/processes.ts";
import { tcpPair } from "../support/relay_harness.ts";

// linux/in.h, linux/tcp.h
const IPPROTO_TCP = 6;
const TCP_USER_TIMEOUT = 18;

function fail(): never {
  throw new Error("the peer cannot be watched");
}

Deno.test("an accepted connection ends when its bytes are not acknowledged for two minutes", () => {
  const [near, far] = tcpPair();
  assertEquals(readOption(near.number, IPPROTO_TCP, TCP_USER_TIMEOUT), USER_TIMEOUT_MS);
  assertEquals(USER_TIMEOUT_MS, 120_000);
  for (const descriptor of [near, far]) descriptor.close();
});

Deno.test("so does a connection of a socket that a service manager has opened", () => {
  const address = resolveHost("127.0.0.1", 0)[0]!;
  const passed = tcpSocket(address);
  bind(passed, address);
  listen(passed, 1);
  const [listener] = TcpListener.openAll({ host: "127.0.0.1", port: 0 }, { inherited: passed });
  const far = tcpSocket(address);
  connect(far, resolveHost("127.0.0.1", listener.port)[0]!);
  let near = null;
  while (near === null) near = accept(passed);
  assertEquals(readOption(near.number, IPPROTO_TCP, TCP_USER_TIMEOUT), USER_TIMEOUT_MS);
  for (const descriptor of [near, far, passed]) descriptor.close();
});

Deno.test("a peer that answers and does not read is not taken for one that has gone", () => {
  const reactor = new Reactor();
  const [near, far] = tcpPair();
  let lost = 0;
  const watch = new PeerWatch(400);
  watch.add(reactor, { descriptor: near, onPeerLost: () => lost++, onFault: fail });
  const option = () => readOption(near.number, IPPROTO_TCP, TCP_USER_TIMEOUT);
  while (send(near, new Uint8Array(1 << 20)) > 0);
  for (let checks = 0; checks < 50 && option() !== 0; checks++) reactor.turn(100);
  assertEquals(option(), 0);
  // The kernel's probes are answered: checks that come later find the same.
  for (let checks = 0; checks < 12; checks++) reactor.turn(100);
  assert(unacknowledgedBytes(near) > 0);
  const buffer = new Uint8Array(1 << 20);
  while (option() === 0) {
    while (receive(far, buffer) > 0);
    reactor.turn(100);
  }
  assertEquals([lost, option()], [0, 400]);
  for (const descriptor of [near, far]) descriptor.close();
});

for (
  const [what, script, sentence] of [
    ["a peer that has gone with bytes on their way is lost", "unplugged_peer", "lost"],
    [
      "connect --pipe ends when its server has gone with bytes on their way",
      "unplugged_pipe",
      "The stream is incomplete: the server acknowledges nothing: it, or the network to it, is gone",
    ],
  ] as const
) {
  Deno.test(`${what} (needs root)`, { ignore: !isRoot }, async () => {
    const child = fromFileUrl(new URL(`../support/${script}.ts`, import.meta.url));
    const line = [Deno.execPath(), "run", "--quiet", "--allow-all", child, "400"];
    const bounded = ["timeout", "60", "unshare", "--net", ...line];
    assertEquals(await output(bounded), `${sentence}\n`);
  });
}
