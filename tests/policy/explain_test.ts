import { assertEquals } from "@std/assert";
import { explain, type Subject } from "../../lib/policy/explain.ts";
import type { Decision, DenyReason, Rule, User } from "../../lib/policy/types.ts";
import { shellCommands } from "../../lib/text/hint_commands.ts";

const AT = { line: 3, column: 60 };
const SUBJECT: Subject = {
  uid: 578,
  name: "alice",
  path: "/etc/ipcauth/config.yaml",
  commands: shellCommands(""),
};
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

Deno.test("explain() names uid, rule, line and the command that changes a denial", () => {
  assertEquals(explain(deny("user-denied", BY), SUBJECT), {
    sentence: "uid 578 (alice) would be refused: user-denied",
    rule: "user-denied",
    where: "/etc/ipcauth/config.yaml:3:60",
    what: "user alice",
    change: "ipcauth users allow alice",
  });
});

Deno.test("explain() names the command that would deny", () => {
  const { sentence, change } = explain(allow("user", BY), SUBJECT);
  assertEquals(sentence, "uid 578 (alice) would be let in: user");
  assertEquals(change, "ipcauth users deny alice");
});

Deno.test("explain() adds the flags of the configuration to the command", () => {
  const subject = { ...SUBJECT, commands: shellCommands(" --config /x.yaml") };
  assertEquals(
    explain(deny("user-denied", BY), subject).change,
    "ipcauth users allow alice --config /x.yaml",
  );
});

Deno.test("explain() leaves the name of an unknown uid open", () => {
  const { sentence, where, change } = explain(deny("unknown-uid"), { ...SUBJECT, name: null });
  assertEquals(sentence, "uid 578 would be refused: unknown-uid");
  assertEquals(where, null);
  assertEquals(change, "ipcauth users add NAME --uid 578 --local-ipc-access");
});

Deno.test("explain() names an entry of the user, which precedes the group", () => {
  const by = { what: "group netops", at: AT };
  assertEquals(
    explain(deny("group-denied", by), SUBJECT).change,
    "ipcauth users add alice --uid 578 --local-ipc-access",
  );
  assertEquals(explain(allow("group", by), SUBJECT).change, "ipcauth users add alice --uid 578");
});

Deno.test("explain() names no command where none would change the decision", () => {
  for (const decision of [deny("unmapped-uid"), deny("no-credentials"), allow("root", null)]) {
    assertEquals(explain(decision, SUBJECT).change, null);
  }
});

Deno.test("explain() names the line of a listener's list", () => {
  const decision = deny("not-on-listener", { what: "allow", at: { line: 7, column: 12 } });
  const { where, change } = explain(decision, SUBJECT);
  assertEquals(where, "/etc/ipcauth/config.yaml:7:12");
  assertEquals(change, "edit /etc/ipcauth/config.yaml, line 7");
});

Deno.test("explain() says what is not known", () => {
  const decision = {
    allow: false,
    reason: "unknown-uid",
    by: null,
    detail: "x is not known",
  } as const;
  assertEquals(
    explain(decision, { uid: 700, name: null, path: null, commands: shellCommands("") }).sentence,
    "uid 700 would be refused: unknown-uid, x is not known",
  );
});

Deno.test("explain() names no line without a file", () => {
  assertEquals(explain(allow("root", null), { ...SUBJECT, path: null }).where, null);
  assertEquals(explain(allow("root", BY), { ...SUBJECT, path: null }).where, null);
});

Deno.test("explain() quotes a name for the shell", () => {
  const { change } = explain(deny("user-denied", BY), { ...SUBJECT, name: "a;reboot" });
  assertEquals(change, "ipcauth users allow 'a;reboot'");
});
