import { assertEquals, assertThrows } from "@std/assert";
import { escapeForTerminal } from "../../lib/text/escape.ts";
import { asAccess, asSessions, asUser, asUsers } from "../../lib/client/answers.ts";
import {
  renderBanner,
  renderHelp,
  renderPrompt,
  renderRunningConfig,
  renderTree,
} from "../../lib/shell/render.ts";
import { accessText } from "../../lib/shell/access_text.ts";
import { listenersData, runningConfigText, sessionsData } from "../../lib/shell/views.ts";
import { statusText } from "../../lib/shell/status_text.ts";
import { usersTable } from "../../lib/shell/users_table.ts";
import { Failure } from "../../lib/errors.ts";
import { GRAMMAR } from "../../lib/shell/grammar.ts";
import { tableText } from "../../lib/text/table.ts";
import { WELCOME } from "../support/fake_console.ts";

const sessionsText = (...args: Parameters<typeof sessionsData>) => tableText(sessionsData(...args));

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

Deno.test("sessionsData() marks the caller's session", () => {
  assertEquals(
    sessionsText([SESSION, { ...SESSION, id: 12, user: "root", uid: 0 }], 7),
    `   SESSION  USER  UID  PID   FROM       LISTENER     SERVICE  IN  OUT   SINCE
*  7        bob   579  4242  127.0.0.1  unix:/run/s  console  10  2000  2026-01-02T03:04:05.678Z
   12       root  0    4242  127.0.0.1  unix:/run/s  console  10  2000  2026-01-02T03:04:05.678Z
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

const ACCESS = {
  uid: 578,
  user: "alice",
  allow: false,
  rule: "user-denied",
  detail: null,
  what: "user alice",
  where: "/etc/c:3:5",
  change: "allow alice",
  listeners: [],
};

Deno.test("accessText() has the rule, the line and the command that changes it", () => {
  assertEquals(
    accessText(ACCESS),
    `uid 578 (alice) would be refused: user-denied
  decided by user alice, /etc/c:3:5
  to change it: allow alice
`,
  );
});

const NARROW = {
  listener: "unix:/run/db.sock",
  allow: false,
  rule: "not-on-listener",
  where: "/etc/c:8:12",
  change: "edit /etc/c, line 8",
};

Deno.test("accessText() names the listeners whose own lists change the decision", () => {
  const listeners = [NARROW, { ...NARROW, listener: "unix:/run/other.sock", allow: true }];
  assertEquals(
    accessText({ ...ACCESS, allow: true, rule: "group", where: null, change: null, listeners }),
    `uid 578 (alice) would be let in: group
  but not on unix:/run/db.sock: not-on-listener, /etc/c:8:12
`,
  );
});

const LISTENER = {
  listener: "unix:/run/db.sock",
  service: "forward",
  target: "unix:/run/b.sock",
  state: "suspended" as const,
  problem: "no such program",
  allow: ["bob", "@netops"],
};

Deno.test("listenersData() has the service, who may use it, and the state", () => {
  assertEquals(
    tableText(listenersData([LISTENER])),
    `LISTENER           SERVICE                   ALLOW        STATE
unix:/run/db.sock  forward unix:/run/b.sock  bob,@netops  suspended, no such program
`,
  );
});

Deno.test("runningConfigText() says what is wrong with the file on disk", () => {
  const since = "2026-01-02T03:04:05.678Z";
  const problem = { since, message: "/etc/c:1:1: one\n/etc/c:2:1: two" };
  assertEquals(
    runningConfigText({ path: "/etc/c", problem, text: "users: []\n" }),
    `# /etc/c; in force, with every default
# the file on disk is bad since ${since}, and not in force:
# /etc/c:1:1: one
# /etc/c:2:1: two
users: []
`,
  );
  assertEquals(runningConfigText({ path: "/etc/c" }), null);
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
    accessText({
      ...ACCESS,
      ...{ user: evil, allow: true, rule: evil, where: evil, change: evil, what: evil },
      listeners: [{ ...NARROW, listener: evil, rule: evil, where: evil }],
    }),
    tableText(listenersData([{ ...LISTENER, listener: evil, target: evil, problem: evil }])),
    runningConfigText({ path: evil, problem: { since: evil, message: evil }, text: evil })!,
    statusText({
      ...{ version: evil, host: evil, pid: 1, uptime: 1, sessions: 1, allowed: 1, denied: 1 },
      config: { path: evil, good: false, since: evil, problem: evil, hint: evil },
      listeners: [{ ...LISTENER, listener: evil, problem: evil }],
      refusals: { [evil]: 1 },
      sandbox: { active: false, landlock: null, reason: evil },
    }),
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
