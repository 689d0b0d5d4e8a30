import { assert, assertEquals, assertThrows } from "@std/assert";
import { hostPortText, NameError, resolveHost } from "../../lib/libc/inet_address.ts";

Deno.test("resolveHost() resolves a name", () => {
  const addresses = resolveHost("localhost", 80);
  assert(addresses.some((address) => String(address) === String(resolveHost("127.0.0.1", 80)[0])));
});

Deno.test("resolveHost() throws a NameError for an unknown host", () => {
  for (const host of ["no-such-host.invalid", "256.1.1.1.1", "a b"]) {
    assertThrows(() => resolveHost(host, 80), NameError);
  }
});

Deno.test("hostPortText() puts brackets around an IPv6 address only", () => {
  assertEquals(hostPortText({ host: "::1", port: 80 }), "[::1]:80");
  assertEquals(hostPortText({ host: "10.0.0.1", port: 80 }), "10.0.0.1:80");
  assertEquals(hostPortText({ host: "db.example", port: 80 }), "db.example:80");
});
