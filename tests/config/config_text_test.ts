/** A configuration that is written out with its defaults says the same. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { configText, timeText } from "../../lib/config/config_text.ts";
import { parseConfig } from "../../lib/config/schema.ts";

const RESERVED = { overflowUid: 65534 };

const FULL = `
listeners:
  - unix: /run/a.sock
    mode: "0660"
    allow: [bob, "@netops", "@adm"]
  - { unix: "/run/b #1.sock", service: metrics }
  - unix: /run/c.sock
    service: { forward: "unix:/run/backend.sock", backend_user: postgres }
  - unix: /run/d.sock
    service: { forward: "tcp:[::1]:80", identity: proxy-v2 }
  - unix: /run/e.sock
    service: { exec: [/bin/echo, --, true, "no", 010, 1.50, "a: b"], run_as: bob }
  - tcp: "[::1]:4569"
    keys:
      - { file: /etc/a.key }
      - { file: "/etc/b c.key", user: bob, not_after: 2027-06-30T02:00:00.5+02:00 }
    service: { exec: [/bin/cat], run_as: peer }
users:
  - { name: bob, uid: 579, gid: 579, local_ipc_access: true, admin: true }
  - { name: 'CORP\\alice', uid: 578 }
groups:
  - { name: netops, gid: 2000, local_ipc_access: true }
  - { name: others, gid: 2001 }
  - { name: domain users }
limits: { max_connections: 7, grace: 1500ms, idle_timeout: 2h }
log: { level: debug, format: json, file: /var/log/x.log }
directory: { refresh: 90s }
`;

/** A configuration without the positions of its parts. */
function meaning(text: string): string {
  return JSON.stringify(
    parseConfig(text, "/etc/c.yaml", RESERVED),
    (key, value) => {
      if (key === "at" || key === "accessAt") return undefined;
      if (value instanceof Set) return [...value].sort();
      return value instanceof Map ? [...value.keys()] : value;
    },
  );
}

for (const text of [FULL, "users: []", "log: { level: warn }", "listeners: [{ unix: /run/a }]"]) {
  Deno.test(`configText() reads back as the same: ${text.trim().split("\n")[0]}`, () => {
    const written = configText(parseConfig(text, "/etc/c.yaml", RESERVED));
    assertEquals(meaning(written), meaning(text));
    // Written again, it does not change.
    assertEquals(configText(parseConfig(written, "/etc/c.yaml", RESERVED)), written);
  });
}

Deno.test("configText() writes defaults out, and a mode in quotes", () => {
  const text = configText(
    parseConfig("listeners: [{ unix: /run/a }]", "/etc/c.yaml", RESERVED),
  );
  for (
    const part of ['mode: "0666"', "service: console", "handshake_timeout: 5s", "refresh: 30s"]
  ) {
    assertStringIncludes(text, part);
  }
  assert(!text.includes("null"), text);
});

Deno.test("configText() writes an entry in a line, and in quotes what would be no text", () => {
  const names = [
    "bob",
    "a-b_C",
    "True",
    "null",
    "falsey",
    "untrue",
    "x.y",
    "2fast",
    "CORP\\al",
    "müller",
  ];
  const users = names.map((name, index) => ({ name, uid: index + 1, admin: index === 0 }));
  const written = configText(
    parseConfig(JSON.stringify({ users, groups: [{ name: "a b" }] }), "/etc/c.yaml", RESERVED),
  );
  const [before, lines] = written.split("users:\n") as [string, string];
  assertEquals(before, "");
  assertEquals(lines.split("limits:")[0]!.trimEnd().split("\n"), [
    "  - { name: bob, uid: 1, local_ipc_access: false, admin: true }",
    "  - { name: a-b_C, uid: 2, local_ipc_access: false, admin: false }",
    '  - { name: "True", uid: 3, local_ipc_access: false, admin: false }',
    '  - { name: "null", uid: 4, local_ipc_access: false, admin: false }',
    "  - { name: falsey, uid: 5, local_ipc_access: false, admin: false }",
    "  - { name: untrue, uid: 6, local_ipc_access: false, admin: false }",
    '  - { name: "x.y", uid: 7, local_ipc_access: false, admin: false }',
    '  - { name: "2fast", uid: 8, local_ipc_access: false, admin: false }',
    '  - { name: "CORP\\\\al", uid: 9, local_ipc_access: false, admin: false }',
    '  - { name: "müller", uid: 10, local_ipc_access: false, admin: false }',
    "groups:",
    '  - { name: "a b", local_ipc_access: false }',
  ]);
  assertStringIncludes(configText(parseConfig("{}", "/c", RESERVED)), "users: []\ngroups: []\n");
  assertEquals(timeText(Date.UTC(2027, 5, 30)), "2027-06-30T00:00:00Z");
  assertEquals(timeText(Date.UTC(2027, 5, 30) + 20), "2027-06-30T00:00:00.020Z");
});
