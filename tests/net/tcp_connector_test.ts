/** A TCP connector gives each address its time, and no address keeps the others from theirs. */
import { assertEquals } from "@std/assert";
import { Errno, SystemError } from "../../lib/libc/errno.ts";
import { remoteAddress, resolveHost, type SocketAddress } from "../../lib/libc/inet_address.ts";
import { listenTcp } from "../../lib/libc/tcp_socket.ts";
import type { Descriptor } from "../../lib/libc/descriptor.ts";
import type { ConnectError } from "../../lib/net/connector.ts";
import { TcpConnector } from "../../lib/net/tcp_connector.ts";
import { Reactor } from "../../lib/reactor/reactor.ts";
import { DeadListener } from "../support/dead_listener.ts";
import { freePort } from "../support/keys.ts";

/** An address of this test file alone. */
function address(last: number, port: number): SocketAddress {
  return resolveHost(`127.53.1.${last}`, port)[0]!;
}

/** An address family that no kernel has. */
const NO_FAMILY: SocketAddress = new Uint8Array(16);
new DataView(NO_FAMILY.buffer).setUint16(0, 60, true);

/** Connects to the first address that accepts. @returns Its host, or how it failed. */
function connectTo(addresses: readonly SocketAddress[], timeoutMs: number): string | ConnectError {
  const reactor = new Reactor();
  let result: Descriptor | ConnectError | null = null;
  const settle = (value: Descriptor | ConnectError): void => {
    result = value;
    reactor.stop();
  };
  const handler = { onConnected: settle, onConnectError: settle };
  const connector = new TcpConnector(reactor, addresses, timeoutMs, handler);
  const early = connector.start();
  if (early !== null) settle(early);
  reactor.run();
  const settled = result as Descriptor | ConnectError | null;
  if (settled === null) throw new Error("nothing was reported");
  if ("kind" in settled) return settled;
  const host = remoteAddress(settled)!.host;
  settled.close();
  // Every other attempt was given up.
  assertEquals([reactor.size, reactor.waiting], [0, 0]);
  return host;
}

Deno.test("an address that does not answer is tried beside the next, and both may win", () => {
  const port = freePort("127.53.1.9");
  using _dead = new DeadListener(address(1, port));
  using _alsoDead = new DeadListener(address(2, port));
  using _live = listenTcp(address(3, port), 8);
  const addresses = [address(1, port), address(2, port), address(3, port)];
  assertEquals(connectTo(addresses, 10_000), "127.53.1.3");
  assertEquals(connectTo(addresses.toReversed(), 10_000), "127.53.1.3");
});

Deno.test("an address family that the kernel lacks is a failed attempt", () => {
  const port = freePort("127.53.1.9");
  using _live = listenTcp(address(6, port), 8);
  assertEquals(connectTo([NO_FAMILY, address(6, port)], 10_000), "127.53.1.6");
  // What an address answers is reported, wherever it stands.
  const refused: ConnectError = { kind: "refused", errno: Errno.ECONNREFUSED };
  for (const addresses of [[NO_FAMILY, address(7, port)], [address(7, port), NO_FAMILY]]) {
    assertEquals(connectTo(addresses, 10_000), refused);
  }
  const alone = connectTo([NO_FAMILY], 10_000);
  const cause = typeof alone === "object" && alone.kind === "system" ? alone.cause : null;
  assertEquals(cause instanceof SystemError && cause.errno, Errno.EAFNOSUPPORT);
});

Deno.test("no address that answers in time is a timeout", () => {
  const port = freePort("127.53.1.9");
  using _dead = new DeadListener(address(8, port));
  assertEquals(connectTo([address(8, port)], 200), { kind: "timeout" });
});

Deno.test("the families of the addresses take turns", () => {
  const port = freePort("127.53.1.9");
  using _dead = new DeadListener(address(10, port));
  using _next = listenTcp(address(11, port), 8);
  const other = resolveHost("::1", port)[0]!;
  using _other = listenTcp(other, 8);
  // The second of the list is asked third: its family may be cut off as a whole.
  assertEquals(connectTo([address(10, port), address(11, port), other], 10_000), "::1");
});
