import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { encodeHello, parseHello } from "../../lib/protocol/greetings.ts";
import { newTraceId, traceIdOf, withTraceId } from "../../lib/protocol/trace_id.ts";

Deno.test("a trace id is a random number of 16 hex digits, which HELLO carries", () => {
  const trace = newTraceId();
  assertMatch(trace, /^[0-9a-f]{16}$/);
  assertNotEquals(newTraceId(), trace);
  const client = withTraceId("ipcauth/1.0.0", trace);
  assertEquals(client, `ipcauth/1.0.0 trace=${trace}`);
  assertEquals(traceIdOf(parseHello(encodeHello({ client, user: null }))!.client), trace);
});

Deno.test("a name that leaves no space is sent without a trace id", () => {
  const trace = newTraceId();
  const longest = "x".repeat(255 - " trace=".length - trace.length);
  assertEquals(traceIdOf(withTraceId(longest, trace)), trace);
  assertEquals(withTraceId(`${longest}x`, trace), `${longest}x`);
});

Deno.test("nothing but 16 hex digits at the end is a trace id", () => {
  const id = "0123456789abcdef";
  assertEquals(traceIdOf(`a trace=fedcba9876543210 trace=${id}`), id);
  for (
    const client of [
      "vector/1",
      `trace=${id}`,
      `x trace=${id}0`,
      `x trace=${id.slice(1)}`,
      `x trace=${id.toUpperCase()}`,
      `x trace=${id} `,
      `x trace=${id}\n`,
      `x\ntrace=${id}`,
      `x trace=${id.slice(1)}"`,
      `x trace=${id.slice(1)}\u0660`,
      `x trace=${id.slice(1)}\u202e`,
    ]
  ) assertEquals(traceIdOf(client), undefined, JSON.stringify(client));
});
