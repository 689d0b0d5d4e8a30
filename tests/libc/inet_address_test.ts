import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  hostPortText,
  NameError,
  numericAddress,
  resolveHost,
  unknownHost,
  withPort,
} from "../../lib/libc/inet_address.ts";

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

Deno.test("resolveHost() takes localhost with its dot for the same name", () => {
  assertEquals(resolveHost("LocalHost.", 80), resolveHost("localhost", 80));
});

Deno.test("numericAddress() reads digits, and asks for no name", () => {
  assertEquals(numericAddress("127.0.0.1", 80), resolveHost("127.0.0.1", 80)[0]);
  assertEquals(numericAddress("::1", 80), resolveHost("::1", 80)[0]);
  // sin6_scope_id: the loopback interface has the index 1.
  assertEquals(new DataView(numericAddress("fe80::1%lo", 80)!.buffer).getUint32(24, true), 1);
  for (const host of ["localhost", "fe80::1%none", "a b", ""]) {
    assertEquals(numericAddress(host, 80), null, host);
  }
});

Deno.test("withPort() changes a copy", () => {
  const address = numericAddress("127.0.0.1", 80)!;
  assertEquals(withPort(address, 4569), numericAddress("127.0.0.1", 4569));
  assertEquals(address, numericAddress("127.0.0.1", 80));
});

Deno.test("unknownHost() says what is unknown: a name, or an interface", () => {
  assertEquals(unknownHost("db.test"), 'the name service knows no host "db.test"');
  assertEquals(
    unknownHost("fe80::1%eth9"),
    'this machine has no network interface "eth9", or fe80::1 is no link-local address',
  );
});
