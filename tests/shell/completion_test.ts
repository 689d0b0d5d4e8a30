import { assertEquals } from "@std/assert";
import { complete, type CompletionData } from "../../lib/shell/completion.ts";

const DATA: CompletionData = {
  users: () => Promise.resolve(["alice", "albert", "bob", "eve smith"]),
  groups: () => Promise.resolve(["netops"]),
  sessions: () => Promise.resolve(["3", "31"]),
};

for (
  const [line, candidates, begun] of [
    ["sh", ["show"], "sh"],
    ["show s", ["sessions", "stats"], "s"],
    ["show run", ["running-config"], "run"],
    ["sh run aaa auth use use al", ["alice", "albert"], "al"],
    ["check b", ["bob"], "b"],
    ["check ", ["alice", "albert", "bob", '"eve smith"'], ""],
    ['check "e', ['"eve smith"'], '"e'],
    ["check 'a", ["'alice'", "'albert'"], "'a"],
    ["set user bob ", ["uid", "gid", "local_ipc_access", "admin"], ""],
    ["set user bob admin ", ["true", "false"], ""],
    ["set user bob uid ", [], ""],
    ["set user bob gid ", ["none"], ""],
    ["add user eve uid 7 ", ["gid", "local_ipc_access", "admin"], ""],
    ["add user eve uid 7 admin t", ["true"], "t"],
    ["close session ", ["3", "31"], ""],
    ["help clo", ["close"], "clo"],
    ["show users |", ["include", "exclude", "count", "json", "no-more"], ""],
    ["show users | include bob | c", ["count"], "c"],
    ["show users | include b", [], "b"],
    ["who ", [], ""],
    ["bogus al", [], "al"],
    ["re al", [], "al"],
    ["zzz", [], "zzz"],
  ] as const
) {
  Deno.test(`complete() offers what may follow "${line}"`, async () => {
    const [offered, word] = await complete(line, DATA);
    assertEquals([offered.toSorted(), word], [[...candidates].toSorted(), begun]);
  });
}

Deno.test("complete() offers every command on an empty line, and asks the server nothing", async () => {
  const refuse = () => Promise.reject(new Error("asked"));
  const [offered] = await complete("", { users: refuse, groups: refuse, sessions: refuse });
  for (const word of ["show", "who", "check", "set", "exit", "help"]) {
    assertEquals(offered.includes(word), true, word);
  }
});
