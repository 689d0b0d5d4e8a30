import { assertEquals } from "@std/assert";
import { didYouMean, nearest } from "../../lib/text/nearest.ts";

const KNOWN = ["serve", "users", "groups", "local_ipc_access", "run-as"];

for (
  const [word, near] of [
    ["usres", "users"],
    ["user", "users"],
    ["uers", "users"],
    ["USERS", "users"],
    ["gruops", "groups"],
    ["local-ipc-acces", "local_ipc_access"],
    ["local", "local_ipc_access"],
    ["run_as", "run-as"],
    ["lo", null],
    ["ls", null],
    ["", null],
    ["constructor", null],
    ["u".repeat(100_000), null],
  ] as const
) {
  Deno.test(`nearest() to "${word.slice(0, 20)}" is ${near}`, () => {
    assertEquals(nearest(word, KNOWN), near);
  });
}

Deno.test("nearest() takes one edit of a short name, and no other name for it", () => {
  assertEquals(nearest("bbo", ["alice", "bob"]), "bob");
  assertEquals(nearest("tom", ["bob"]), null);
  // Two could be meant by their beginning.
  assertEquals(nearest("ali", ["alicia", "alistair"]), null);
});

Deno.test("didYouMean() ends a sentence, or adds nothing", () => {
  assertEquals(didYouMean("usres", KNOWN), '; did you mean "users"?');
  assertEquals(didYouMean("x", KNOWN), "");
});
