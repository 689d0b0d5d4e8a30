import { assertEquals } from "@std/assert";
import { explain, type Subject } from "../../lib/policy/explain.ts";
import type { Decision, DenyReason, Rule, User } from "../../lib/policy/types.ts";

const AT = { line: 3, column: 60 };
const SUBJECT: Subject = { uid: 578, name: "alice", path: "/etc/ipcauth/config.yaml", flags: "" };
const BY: Rule = { what: "user alice", at: AT };
const ALICE: User = {
  name: "alice",
  uid: 578,
  gid: 578,
  localIpcAccess: true,
  admin: false,
  at: AT,
  accessAt: AT,
};

function deny(reason: DenyReason, by: Rule = null): Decision {
  return { allow: false, reason, by };
}

function allow(rule: (Decision & { allow: true })["rule"], by: Rule): Decision {
  const trusted = rule === "root" || rule === "server-user";
  return {
    allow: true,
    identity: { user: rule === "user" ? ALICE : null, uid: 578, gid: 578, trusted },
    rule,
    by,
  };
}

Deno.test("a refusal names who, the rule, the line and the command that changes it", () => {
  assertEquals(explain(deny("user-denied", BY), SUBJECT), {
    sentence: "uid 578 (alice) would be refused: user-denied",
    rule: "user-denied",
    where: "/etc/ipcauth/config.yaml:3:60",
    what: "user alice",
    change: "ipcauth users allow alice",
  });
});

Deno.test("a permission names the command that takes it away", () => {
  const { sentence, change } = explain(allow("user", BY), SUBJECT);
  assertEquals(sentence, "uid 578 (alice) would be let in: user");
  assertEquals(change, "ipcauth users deny alice");
});

Deno.test("the command reaches the same configuration", () => {
  const subject = { ...SUBJECT, flags: " --config /x.yaml" };
  assertEquals(
    explain(deny("user-denied", BY), subject).change,
    "ipcauth users allow alice --config /x.yaml",
  );
});

Deno.test("an unknown uid without a name is added by a name still to be chosen", () => {
  const { sentence, where, change } = explain(deny("unknown-uid"), { ...SUBJECT, name: null });
  assertEquals(sentence, "uid 578 would be refused: unknown-uid");
  assertEquals(where, null);
  assertEquals(change, "ipcauth users add NAME --uid 578 --local-ipc-access");
});

Deno.test("a member of a group is let in or shut out by an entry of its own, which comes first", () => {
  const by = { what: "group netops", at: AT };
  assertEquals(
    explain(deny("group-denied", by), SUBJECT).change,
    "ipcauth users add alice --uid 578 --local-ipc-access",
  );
  assertEquals(explain(allow("group", by), SUBJECT).change, "ipcauth users add alice --uid 578");
});

Deno.test("what no edit of users would change names no command", () => {
  for (const decision of [deny("unmapped-uid"), deny("no-credentials"), allow("root", null)]) {
    assertEquals(explain(decision, SUBJECT).change, null);
  }
});

Deno.test("a listener's list is told with its line", () => {
  const decision = deny("not-on-listener", { what: "allow", at: { line: 7, column: 12 } });
  const { where, change } = explain(decision, SUBJECT);
  assertEquals(where, "/etc/ipcauth/config.yaml:7:12");
  assertEquals(change, "edit /etc/ipcauth/config.yaml, line 7");
});

Deno.test("without a file no line is named", () => {
  assertEquals(explain(allow("root", null), { ...SUBJECT, path: null }).where, null);
});

Deno.test("a name that a shell would take apart is one word of the command", () => {
  const { change } = explain(deny("user-denied", BY), { ...SUBJECT, name: "a;reboot" });
  assertEquals(change, "ipcauth users allow 'a;reboot'");
});
