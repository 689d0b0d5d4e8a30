import { assertEquals, assertThrows } from "@std/assert";
import { keyId } from "../../lib/keys/key_id.ts";

Deno.test("keyId() is the first 8 bytes of a SHA-256 with a prefix of its own", async () => {
  const key = new Uint8Array(32).fill(42);
  const domain = new TextEncoder().encode("ipcauth key id v1");
  const digest = await crypto.subtle.digest("SHA-256", Uint8Array.of(...domain, ...key));
  assertEquals(keyId(key), new Uint8Array(digest).subarray(0, 8).toHex());
});

Deno.test("keyId() refuses a key of another length", () => {
  for (const length of [0, 31, 33]) assertThrows(() => keyId(new Uint8Array(length)), RangeError);
});
