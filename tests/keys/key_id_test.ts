import { assertEquals, assertThrows } from "@std/assert";
import { keyId, preamble } from "../../lib/keys/key_id.ts";

Deno.test("a key id is the head of a hash of its own domain", async () => {
  const key = new Uint8Array(32).fill(42);
  const domain = new TextEncoder().encode("ipcauth key id v1");
  const digest = await crypto.subtle.digest("SHA-256", Uint8Array.of(...domain, ...key));
  assertEquals(keyId(key), new Uint8Array(digest).subarray(0, 8).toHex());
});

Deno.test("only a whole key has an id", () => {
  for (const length of [0, 31, 33]) assertThrows(() => keyId(new Uint8Array(length)), RangeError);
});

Deno.test("the preamble is the name of the protocol and the key id, 16 bytes", () => {
  assertEquals(preamble("15c8cbd1a1833508").toHex(), "495043415554483115c8cbd1a1833508");
});
