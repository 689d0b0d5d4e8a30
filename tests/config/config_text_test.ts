/** A configuration that is written out with its defaults says the same. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { configText } from "../../lib/config/config_text.ts";
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
