import { assertEquals } from "@std/assert";
import { isLoopback, leavesIpv4, listenerAddress, parseHostPort } from "../../lib/net/address.ts";

Deno.test("parseHostPort() accepts zones of IPv6 addresses and names that end in a dot", () => {
  for (
    const [text, host] of [
      ["[fe80::1%eth0]:4569", "fe80::1%eth0"],
      ["[fe80::1%3]:4569", "fe80::1%3"],
      ["db.example.:4569", "db.example."],
      ["localhost.:4569", "localhost."],
    ] as const
  ) assertEquals(parseHostPort(text), { host, port: 4569 }, text);
});

Deno.test("parseHostPort() refuses what only looks like them", () => {
  for (
    const text of [
      "[fe80::1%]:1",
      "[fe80::1%a b]:1",
      "[fe80::1%an-interface-too-long]:1",
      "[fe80::1%e/th]:1",
      "[127.0.0.1%lo]:1",
      "fe80::1%eth0:1",
      "db%eth0:1",
      ".:1",
      "..:1",
      "db..:1",
      "127.0.0.1.:1",
    ]
  ) assertEquals(parseHostPort(text), null, text);
});

Deno.test("two spellings of one host are one listener", () => {
  const tcp = (host: string) => listenerAddress({ kind: "tcp", host, port: 1 });
  assertEquals(tcp("LocalHost."), tcp("localhost"));
  assertEquals(tcp("0:0:0:0:0:0:0:1"), tcp("::1"));
  assertEquals(tcp("FE80::1%eth0"), tcp("fe80:0::1%eth0"));
  assertEquals(tcp("fe80::1%eth0"), "tcp:[fe80::1%eth0]:1");
  // Interfaces may differ by case.
  assertEquals(tcp("fe80::1%eth0") === tcp("fe80::1%ETH0"), false);
});

Deno.test("[::] leaves IPv4 to 0.0.0.0 on the same port, and to no other listener", () => {
  const tcp = (host: string, port = 1) => ({ kind: "tcp", host, port }) as const;
  const any = tcp("0.0.0.0");
  assertEquals(leavesIpv4(tcp("::"), [tcp("::"), any]), true);
  assertEquals(leavesIpv4(tcp("0::0"), [any]), true);
  assertEquals(leavesIpv4(tcp("::"), [tcp("::"), tcp("0.0.0.0", 2), tcp("127.0.0.1")]), false);
  assertEquals(leavesIpv4(tcp("::1"), [any]), false);
  assertEquals(leavesIpv4(any, [any]), false);
});

Deno.test("isLoopback() is true for addresses of this machine alone", () => {
  const local = ["localhost", "LOCALHOST.", "127.0.0.1", "127.255.0.3", "::1", "0:0:0:0:0:0:0:1"];
  for (const host of [...local, "::ffff:127.0.0.1"]) assertEquals(isLoopback(host), true, host);
  const others = ["0.0.0.0", "128.0.0.1", "::", "::2", "fe80::1%eth0", "::ffff:10.0.0.1"];
  const names = ["localhost.example.com", "127.0.0.1.example.com", "host", "1127.0.0.1"];
  for (const host of [...others, ...names]) assertEquals(isLoopback(host), false, host);
});
