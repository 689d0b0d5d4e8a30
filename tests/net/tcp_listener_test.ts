/** A listener has every address of its host that this machine has. */
import { assertEquals, assertThrows } from "@std/assert";
import { ExitCode, Failure } from "../../lib/errors.ts";
import { NameError, numericAddress, type SocketAddress } from "../../lib/libc/inet_address.ts";
import { TcpListener } from "../../lib/net/tcp_listener.ts";

/** An address family that no kernel has. */
const NO_FAMILY = 0x7f7f;

function absentFamily(): SocketAddress {
  const address = numericAddress("127.88.1.1", 0)!;
  new DataView(address.buffer).setUint16(0, NO_FAMILY, true);
  return address;
}

/** Listens on addresses. @returns The names of the listeners, without their common port. */
function listening(...addresses: SocketAddress[]): string[] {
  const listeners = TcpListener.openAll({ host: "several.test", port: 0 }, {
    resolve: () => addresses,
  });
  listeners.forEach(({ socket }) => socket.close());
  const [{ port }] = listeners;
  return listeners.map(({ name }) => name.replace(`:${port}`, ""));
}

/** @returns The exit code of a start that fails. */
function exitOf(resolve: () => SocketAddress[]): number {
  const open = () => TcpListener.openAll({ host: "several.test", port: 0 }, { resolve });
  return assertThrows(open, Failure).exit;
}

Deno.test("an address or a family that this machine lacks leaves the others", () => {
  const own = numericAddress("127.88.1.1", 0)!;
  // For documentation (RFC 5737).
  const foreign = numericAddress("192.0.2.1", 0)!;
  assertEquals(listening(foreign, absentFamily(), own), ["tcp:127.88.1.1"]);
  assertEquals(exitOf(() => [foreign, absentFamily()]), ExitCode.os);
});

Deno.test("a host with the wildcard of each family listens on both, on one port", {
  ignore: !hasIpv6(),
}, () => {
  const [v6, v4] = [numericAddress("::", 0)!, numericAddress("0.0.0.0", 0)!];
  assertEquals(listening(v6, v4), ["tcp:[::]", "tcp:0.0.0.0"]);
});

Deno.test("a host that is not known may be known later: exit code 69", () => {
  const unknown = () => {
    throw new NameError("the name service knows no such host");
  };
  assertEquals(exitOf(unknown), ExitCode.unavailable);
});

function hasIpv6(): boolean {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return true;
  } catch {
    return false;
  }
}
