import { assertEquals } from "@std/assert";
import { preamble } from "../../lib/protocol/preamble.ts";

Deno.test("preamble() is the name of the protocol and the key id, 16 bytes", () => {
  assertEquals(preamble("15c8cbd1a1833508").toHex(), "495043415554483115c8cbd1a1833508");
});
