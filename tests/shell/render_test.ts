import { assertEquals, assertThrows } from "@std/assert";
import { escapeForTerminal } from "../../lib/text/escape.ts";
import { asAccess, asSessions, asUser, asUsers } from "../../lib/client/answers.ts";
import {
  renderAccess,
  renderBanner,
  renderHelp,
  renderPrompt,
  renderRunningConfig,
  renderTree,
  sessionsTable,
} from "../../lib/shell/render.ts";
import { usersTable } from "../../lib/shell/users_table.ts";
import { Failure } from "../../lib/errors.ts";
import { GRAMMAR } from "../../lib/shell/grammar.ts";
import { tableText } from "../../lib/text/table.ts";
import { PLAIN } from "../../lib/text/view.ts";
import { WELCOME } from "../support/fake_console.ts";

const sessionsText = (...args: Parameters<typeof sessionsTable>) =>
  tableText(sessionsTable(...args));

const ALICE = { name: "alice", uid: 578, gid: 578, local_ipc_access: false, admin: false };
const BOB = { name: "bob", uid: 579, gid: null, local_ipc_access: true, admin: true };
const SESSION = {
  id: 7,
  user: "bob",
  uid: 579,
  pid: 4242,
  from: "127.0.0.1",
  listener: "unix:/run/s",
  service: "console",
  since: "2026-01-02T03:04:05.678Z",
  bytes_in: 10,
  bytes_out: 2000,
};

Deno.test("renderRunningConfig() has a line for each field, and none for a missing gid", () => {
  assertEquals(
    renderRunningConfig([ALICE, BOB]),
    `aaa authentication users user alice
 uid 578
 gid 578
 local_ipc_access false
 admin false
!
aaa authentication users user bob
 uid 579
 local_ipc_access true
 admin true
!
`,
  );
});

Deno.test("usersTable() aligns its columns", () => {
  assertEquals(
    usersTable([ALICE, BOB]),
    `NAME   UID  GID  LOCAL_IPC_ACCESS  ADMIN
alice  578  578  false             false
bob    579  -    true              true
`,
  );
});

Deno.test("sessionsTable() marks the caller's session", () => {
  assertEquals(
    sessionsText([SESSION, { ...SESSION, id: 12, user: "root", uid: 0 }], 7),
    `   SESSION  USER  UID  PID   FROM       SERVICE  SINCE
*  7        bob   579  4242  127.0.0.1  console  2026-01-02T03:04:05.678Z
   12       root  0    4242  127.0.0.1  console  2026-01-02T03:04:05.678Z
`,
  );
});

Deno.test("the banner and the prompt name the user", () => {
  assertEquals(
    renderBanner(WELCOME),
    "bob connected from 127.0.0.1 using console on harbour\n",
  );
  assertEquals(renderPrompt(WELCOME), "bob@ipcauth# ");
});

Deno.test("renderAccess() has the rule, the line and the command that changes it", () => {
  assertEquals(
    renderAccess({
      uid: 578,
      user: "alice",
      allow: false,
      rule: "user-denied",
      where: "/etc/c:3:5",
      change: "ipcauth users allow alice",
    }, PLAIN),
    `uid 578 (alice) would be refused: user-denied
  decided by /etc/c:3:5
  to change it: ipcauth users allow alice
`,
  );
});

Deno.test("renderTree() has a leaf a line", () => {
  assertEquals(
    renderTree({ path: null, limits: { grace: "5s" }, listeners: [{ unix: "/s" }] }),
    "path -\nlimits.grace 5s\nlisteners[0].unix /s\n",
  );
});

Deno.test("renderHelp() lists every kind of command, or those that begin with a word", () => {
  for (const word of ["show users", "who", "check", "set user", "allow", "close session", "exit"]) {
    assertEquals(renderHelp(undefined, GRAMMAR).includes(word), true, word);
  }
  assertEquals(renderHelp("rem", GRAMMAR), "remove user <user>  remove a user\n");
});

Deno.test("no text of a server reaches the terminal with a control character", () => {
  const evil = "a\x1b[31m\r\n\x07\x9b\u202e\u2028b";
  const rendered = [
    renderRunningConfig([{ ...ALICE, name: evil }]),
    usersTable([{ ...ALICE, name: evil }]),
    sessionsText([{ ...SESSION, user: evil, from: evil, service: evil, since: evil }], 1),
    renderBanner({ ...WELCOME, user: evil, from: evil, host: evil }),
    renderPrompt({ user: evil }),
    renderAccess({ uid: 1, user: evil, allow: true, rule: evil, where: evil, change: evil }, PLAIN),
    renderTree({ [evil]: [evil] }),
  ];
  for (const text of rendered) {
    assertEquals(/[\p{Cf}\p{Zl}\p{Zp}]|(?!\n)\p{Cc}/u.test(text), false, JSON.stringify(text));
    assertEquals(text.includes("a\\u{1b}[31m"), true);
  }
});

Deno.test("escapeForTerminal() keeps letters, and changes nothing the second time", () => {
  assertEquals(escapeForTerminal("žofie 東 é"), "žofie 東 é");
  assertEquals(escapeForTerminal(escapeForTerminal("\x1b")), "\\u{1b}");
});

Deno.test("asUser() and the others refuse a value of another shape", () => {
  for (
    const value of [
      null,
      "x",
      [],
      {},
      { ...ALICE, uid: "578" },
      { ...ALICE, name: null },
      { ...ALICE, admin: 1 },
    ]
  ) assertThrows(() => asUser(value), Failure, "not what this client expects");
  assertThrows(() => asUsers({}), Failure);
  assertThrows(() => asSessions([{ ...SESSION, id: "7" }]), Failure);
  assertThrows(() => asAccess({ uid: 1 }), Failure);
});

Deno.test("asUser() drops unknown fields", () => {
  assertEquals(asUser({ extra: 1, ...BOB, password: "x" }), BOB);
});

Deno.test("renderTree() refuses an answer that is nested too deep", () => {
  let deep: unknown = 1;
  for (let level = 0; level < 100_000; level++) deep = [deep];
  assertThrows(() => renderTree(deep), Failure, "not what this client expects");
});
