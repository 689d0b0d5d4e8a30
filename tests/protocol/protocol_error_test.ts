import { assertEquals, assertThrows } from "@std/assert";
import { NoiseError } from "../../lib/noise/noise_error.ts";
import { protocolErrorOf } from "../../lib/protocol/protocol_error.ts";

Deno.test("protocolErrorOf() names each failure of a Noise session, and passes on a bug", () => {
  const named = (["unauthentic", "weak-key", "malformed", "exhausted"] as const)
    .map((reason) => protocolErrorOf(new NoiseError(reason), "bad-key"));
  assertEquals(named, ["bad-key", "malformed", "malformed", "exhausted"]);
  assertThrows(() => protocolErrorOf(new RangeError("a bug"), "corrupt"), RangeError, "a bug");
});
