/** Addresses on the command line and in the environment, with what may be left out. */
import { assertEquals, assertThrows } from "@std/assert";
import { connectAddress, listenAddress } from "../../lib/cli/typed_address.ts";
import { addressFromEnvironment } from "../../lib/config/default_paths.ts";
import { Failure } from "../../lib/errors.ts";

for (
  const [typed, host, port] of [
    ["localhost", "localhost", 4569],
    ["db.example.", "db.example.", 4569],
    ["127.0.0.1", "127.0.0.1", 4569],
    ["127.0.0.1:80", "127.0.0.1", 80],
    [":80", "127.0.0.1", 80],
    ["[::1]", "::1", 4569],
    ["[::1]:80", "::1", 80],
    ["[fe80::1%lo]", "fe80::1%lo", 4569],
  ] as const
) {
  Deno.test(`--tcp=${typed} is ${host} and port ${port}`, () => {
    assertEquals(connectAddress(typed), { host, port });
    assertEquals(listenAddress(typed), { host, port });
  });
}

for (
  const [typed, hint] of [
    ["::1", "--tcp='[::1]'"],
    ["2001:db8::5", "--tcp='[2001:db8::5]'"],
    ["::1:80", "--tcp='[::1]:80'"],
    ["4569", "--tcp=:4569"],
    [":", "--tcp=127.0.0.1:4569"],
    ["localhost:", "--tcp=127.0.0.1:4569"],
    ["[::1]:", "--tcp=127.0.0.1:4569"],
    ["localhost:70000", "--tcp=127.0.0.1:4569"],
    ["", "--tcp=127.0.0.1:4569"],
    ["a b", "--tcp=127.0.0.1:4569"],
    ["[]", "--tcp=127.0.0.1:4569"],
  ] as const
) {
  Deno.test(`--tcp="${typed}" is refused, with an address that would do`, () => {
    const failure = assertThrows(() => connectAddress(typed), Failure) as Failure;
    assertEquals([failure.exit, failure.hint], [64, hint]);
    assertThrows(() => listenAddress(typed), Failure);
  });
}

for (
  const [address, port, expected] of [
    ["localhost", undefined, "localhost 4569"],
    ["localhost", "80", "localhost 80"],
    ["localhost:80", undefined, "localhost 80"],
    [":80", undefined, "127.0.0.1 80"],
    ["::1", undefined, "::1 4569"],
    ["[::1]", "80", "::1 80"],
    ["[::1]:80", undefined, "::1 80"],
    [undefined, "80", "127.0.0.1 80"],
    ["localhost:80", "81", null],
    ["[::1]:80", "81", null],
    ["localhost", "x", null],
    [":", undefined, null],
  ] as const
) {
  Deno.test(`IPCAUTH_ADDR=${address} IPCAUTH_PORT=${port} is ${expected}`, () => {
    const variables = { IPCAUTH_ADDR: address, IPCAUTH_PORT: port };
    const read = () => addressFromEnvironment({ uid: 579, variables });
    if (expected === null) assertThrows(read, Failure, "are no address");
    else assertEquals(`${read()?.host} ${read()?.port}`, expected);
  });
}
