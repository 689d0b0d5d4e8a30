/** A listener has every address of its host that this machine has. */
import { assertEquals, assertThrows } from "@std/assert";
import { ExitCode, Failure } from "../../lib/errors.ts";
import { NameError, numericAddress, type SocketAddress } from "../../lib/libc/inet_address.ts";
import { readProc } from "../../lib/libc/read_file.ts";
import { TcpListener } from "../../lib/net/tcp_listener.ts";
import { writeKey } from "../support/keys.ts";
import { isRoot, Program } from "../support/program.ts";

/** An address family that no kernel has. */
const NO_FAMILY = 0x7f7f;

function absentFamily(): SocketAddress {
  const address = numericAddress("127.88.1.1", 0)!;
  new DataView(address.buffer).setUint16(0, NO_FAMILY, true);
  return address;
}

/** The first port that every user may listen on (`ip(7)`). */
const FIRST_PORT = Number(readProc("/proc/sys/net/ipv4/ip_unprivileged_port_start"));

/** Listens on addresses. @returns The names of the listeners, without their common port. */
function listening(...addresses: SocketAddress[]): string[] {
  const listeners = TcpListener.openAll({ host: "several.test", port: 0 }, {
    resolve: () => addresses,
  });
  listeners.forEach(({ socket }) => socket.close());
  const [{ port }] = listeners;
  return listeners.map(({ name }) => name.replace(`:${port}`, ""));
}

/** @returns How a start fails. */
function failureOf(resolve: () => SocketAddress[]): Failure {
  const open = () => TcpListener.openAll({ host: "several.test", port: 0 }, { resolve });
  return assertThrows(open, Failure);
}

Deno.test("an address or a family that this machine lacks leaves the others", () => {
  const own = numericAddress("127.88.1.1", 0)!;
  // For documentation (RFC 5737).
  const foreign = numericAddress("192.0.2.1", 0)!;
  assertEquals(listening(foreign, absentFamily(), own), ["tcp:127.88.1.1"]);
  assertEquals(failureOf(() => [absentFamily(), foreign]).exit, ExitCode.os);
  const { exit, hint } = failureOf(() => [foreign]);
  assertEquals([exit, hint], [ExitCode.os, "ip -brief address lists those of this machine"]);
});

Deno.test({
  name: "a port that only root may use is refused with what to do (needs root)",
  ignore: !isRoot || FIRST_PORT <= 1,
  fn: async () => {
    await using program = await Program.install();
    const key = await writeKey(program, "a.key");
    await program.execute(["chown", "579", key]);
    const argv = ["serve", "--tcp=127.88.1.2:1", `--key=${key}`];
    const { code, stderr } = await program.run(argv, { uid: 579 });
    assertEquals(code, 71);
    assertEquals(stderr.split("\n").slice(0, 2), [
      "ipcauth: error: Cannot listen on 127.88.1.2:1: permission denied",
      "hint: start it as root, or choose a port from 1024 on",
    ]);
  },
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
  assertEquals(failureOf(unknown).exit, ExitCode.unavailable);
});

function hasIpv6(): boolean {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return true;
  } catch {
    return false;
  }
}
