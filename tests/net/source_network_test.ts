import { assertEquals } from "@std/assert";
import { sourceNetwork, sourceWords } from "../../lib/net/source_network.ts";

Deno.test("sourceNetwork() is an IPv4 address, or the first 64 bits of an IPv6 address", () => {
  for (
    const [host, source] of [
      ["192.0.2.7", "192.0.2.7"],
      ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2"],
      ["2001:db8:1:2::", "2001:db8:1:2"],
      ["2001:db8:1:2::6", "2001:db8:1:2"],
      ["2001:db8::1:2:3:4:5", "2001:db8:0:1"],
      ["2001:db8::1", "2001:db8:0:0"],
      ["::1", "0:0:0:0"],
      ["::", "0:0:0:0"],
      ["fe80::1", "fe80:0:0:0"],
    ] as const
  ) assertEquals(sourceNetwork(host), source);
});

Deno.test("sourceWords() tells every two sources apart", () => {
  const sources = [
    "192.0.2.7",
    "192.0.2.8",
    "255.255.255.255",
    "2001:db8:1:2",
    "2001:db8:1:3",
    "2001:db8:0:0",
    // The first words of an IPv4 address.
    "c000:207:0:0",
    "0:0:c000:207",
  ];
  assertEquals(sourceWords("192.0.2.7"), [-1, 0xc000_0207 | 0]);
  assertEquals(sourceWords("2001:db8:1:2"), [0x2001_0db8, 0x0001_0002]);
  assertEquals(new Set(sources.map((one) => sourceWords(one).join())).size, sources.length);
});
