import { assertEquals } from "@std/assert";
import { sourceNetwork } from "../../lib/net/source_network.ts";

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
