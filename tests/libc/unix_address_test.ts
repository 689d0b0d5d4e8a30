import { assert, assertEquals, assertThrows } from "@std/assert";
import { bind, unixSocket } from "../../lib/libc/sockets.ts";
import { AddressError, unixAddress } from "../../lib/libc/unix_address.ts";

Deno.test("unixAddress() returns the family, the path and zeros", () => {
  const address = unixAddress("/run/ü.sock");
  assertEquals(new Uint16Array(address.slice(0, 2).buffer)[0], 1);
  assertEquals(new TextDecoder().decode(address.subarray(2, 14)), "/run/ü.sock");
  assertEquals(address.subarray(14).every((byte) => byte === 0), true);
});

for (
  const [what, path] of [
    ["is empty", ""],
    ["is abstract", "@name"],
    ["is abstract, in the kernel's form", "\0name"],
    ["holds a NUL", "/tmp/a\0b"],
    ["is one byte too long", "/".padEnd(108, "x")],
    ["has 55 characters and 109 bytes", "/".padEnd(55, "ü")],
  ] as const
) {
  Deno.test(`unixAddress() throws for a path that ${what}`, () => {
    assertThrows(() => unixAddress(path), AddressError);
  });
}

Deno.test("unixAddress() encodes a path of 107 bytes", () => {
  using socket = unixSocket();
  const directory = Deno.makeTempDirSync();
  const path = `${directory}/`.padEnd(107, "x");
  bind(socket, unixAddress(path));
  assert(Deno.lstatSync(path).isSocket);
  Deno.removeSync(directory, { recursive: true });
});
