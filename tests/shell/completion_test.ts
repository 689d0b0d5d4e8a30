import { assertEquals } from "@std/assert";
import { complete } from "../../lib/shell/completion.ts";

const DATA = { users: ["alice", "albert", "bob"] };

for (
  const [line, candidates, begun] of [
    ["sh", ["show"], "sh"],
    ["show s", ["sessions", "stats"], "s"],
    ["show run", ["running-config"], "run"],
    ["sh run aaa auth use use al", ["alice", "albert"], "al"],
    ["check b", ["bob"], "b"],
    ["check ", ["alice", "albert", "bob"], ""],
    ["set user bob ", ["uid", "gid", "local_ipc_access", "admin"], ""],
    ["set user bob admin ", ["true", "false"], ""],
    ["set user bob uid ", [], ""],
    ["add user eve uid 7 ", ["gid", "local_ipc_access", "admin"], ""],
    ["add user eve uid 7 admin t", ["true"], "t"],
    ["close session ", [], ""],
    ["who ", [], ""],
    ["bogus al", [], "al"],
    ["re al", [], "al"],
    ["zzz", [], "zzz"],
  ] as const
) {
  Deno.test(`complete() offers what may follow "${line}"`, () => {
    const [offered, word] = complete(line, DATA);
    assertEquals([offered.toSorted(), word], [[...candidates].toSorted(), begun]);
  });
}

Deno.test("complete() offers every command on an empty line", () => {
  const [offered] = complete("", DATA);
  for (const word of ["show", "who", "check", "set", "exit", "help"]) {
    assertEquals(offered.includes(word), true, word);
  }
});
