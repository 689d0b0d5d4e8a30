import { assertEquals, assertThrows } from "@std/assert";
import { proxyHeader } from "../../../lib/service/forward/proxy_header.ts";

const BOB = { user: "bob", uid: 579, gid: 580, pid: 42, keyId: null };

function hex(bytes: Uint8Array): string {
  return bytes.toHex();
}

Deno.test("proxyHeader() writes the exact header of a Unix peer", () => {
  assertEquals(
    hex(proxyHeader(BOB)),
    [
      "0d0a0d0a000d0a515549540a",
      "21", // version 2, PROXY
      "11", // TCP over IPv4
      "0023", // 12 bytes of addresses, 23 of values
      "7f0000017f00000100000000",
      "e00003" + "626f62",
      "e10003" + "353739",
      "e20003" + "353830",
      "e30002" + "3432",
    ].join(""),
  );
});

Deno.test("proxyHeader() writes the addresses of both families, and the key", () => {
  const identity = { ...BOB, gid: null, pid: null, keyId: "0123456789abcdef" };
  const v4 = proxyHeader(
    identity,
    { bytes: Uint8Array.of(10, 1, 2, 3), port: 40_000 },
    { bytes: Uint8Array.of(10, 1, 2, 4), port: 4569 },
  );
  assertEquals(hex(v4.subarray(12, 28)), "2111002b" + "0a010203" + "0a010204" + "9c40" + "11d9");
  assertEquals(
    hex(v4.subarray(28)),
    "e00003626f62e10003353739e40010" + hex(new TextEncoder().encode("0123456789abcdef")),
  );
  const bytes = new Uint8Array(16).fill(1);
  const v6 = proxyHeader(identity, { bytes, port: 1 }, { bytes, port: 2 });
  assertEquals(hex(v6.subarray(12, 16)), "21210043");
  assertEquals(v6.length, 16 + 0x43);
});

Deno.test("proxyHeader() percent-encodes what is not printable ASCII in a user name", () => {
  for (
    const [user, sent] of [
      ["CORP\\alice@example.com", "CORP\\alice@example.com"],
      ["domain user", "domain%20user"],
      ["Åsa", "%C3%85sa"],
      ["ålice_😀", "%C3%A5lice_%F0%9F%98%80"],
      ["100%", "100%25"],
      ["a\x7f\n", "a%7F%0A"],
    ] as const
  ) {
    const header = proxyHeader({ ...BOB, user });
    assertEquals(new TextDecoder().decode(header.subarray(31, 31 + sent.length)), sent);
    assertEquals(header[30], sent.length);
    assertEquals(decodeURIComponent(sent), user);
  }
});

Deno.test("proxyHeader() throws for mixed address families, and for values that do not fit", () => {
  const v6 = { bytes: new Uint8Array(16), port: 1 };
  assertThrows(() => proxyHeader(BOB, v6), RangeError);
  assertThrows(() => proxyHeader({ ...BOB, user: "x".repeat(70_000) }), RangeError);
});
