import { assertEquals } from "@std/assert";
import { parseConfig } from "../../lib/config/schema.ts";
import { configChanges } from "../../lib/dataplane/config_changes.ts";

const HOST = { overflowUid: 65534, serverUid: 0 };

/** The changes from one file to another; a key file's id is its name in capitals. */
function changes(before: string, after: string): string | null {
  const [one, other] = [before, after].map((text) => parseConfig(text, "/c.yaml", HOST));
  return configChanges(one!, other!, (file) => file.includes("gone") ? null : file.toUpperCase());
}

const users = (...entries: string[]) =>
  `users: [${entries.map((one) => `{ ${one} }`).join(", ")}]\n`;
const listeners = (...entries: string[]) =>
  `listeners: [${entries.map((one) => `{ ${one} }`).join(", ")}]\n`;
const tcp = (keys: string) => `tcp: "127.0.0.1:1", keys: [${keys}]`;

Deno.test("configChanges() names users that come, go and change", () => {
  const before = users("name: alice, uid: 578, gid: 578", "name: bob, uid: 579");
  const after = users("name: alice, uid: 577, local_ipc_access: true", "name: carol, uid: 580");
  assertEquals(
    changes(before, after),
    "user alice uid 578 → 577, user alice gid 578 → none, " +
      "user alice local_ipc_access false → true, user carol added, user bob removed",
  );
});

Deno.test("configChanges() names groups, sections and listeners", () => {
  const base = users("name: bob, uid: 579");
  assertEquals(
    changes(
      `${base}groups: [{ name: a, gid: 1 }, { name: b, gid: 2 }]\n`,
      `${base}groups: [{ name: b, gid: 3 }, { name: c, gid: 4 }]\nlimits: { grace: 1s }\n`,
    ),
    "group b changed, group c added, group a removed, limits changed",
  );
  assertEquals(changes(`${base}groups: [{ name: a }]\n`, `${base}groups:\n- { name: a }\n`), null);
  assertEquals(
    changes(
      base + listeners("unix: /a", "unix: /b, allow: [bob]", "unix: /c"),
      base + listeners("unix: /a", "unix: /b", "unix: /d"),
    ),
    "listener unix:/b changed, listener unix:/d added, listener unix:/c removed",
  );
});

Deno.test("configChanges() names keys by their ids, or by their files", () => {
  const base = users("name: bob, uid: 579");
  assertEquals(
    changes(
      base + listeners(tcp("{ file: /a, user: bob }, { file: /gone }")),
      base +
        listeners(tcp("{ file: /a, user: bob, not_after: 2030-01-01T00:00:00Z }, { file: /n }")),
    ),
    "key /A of bob at tcp:127.0.0.1:1 changed, key /N at tcp:127.0.0.1:1 added, " +
      "key /gone at tcp:127.0.0.1:1 removed",
  );
});

Deno.test("configChanges() is null where only the text differs", () => {
  const base = users("name: bob, uid: 579");
  assertEquals(
    changes(
      `${base}${listeners("unix: /a, allow: [bob]")}`,
      `# a comment\n\n${base}${listeners("unix: /a, allow: [bob]")}`,
    ),
    null,
  );
});

Deno.test("configChanges() names 32 changes, and counts the others", () => {
  const after = users(
    ...Array.from({ length: 40 }, (_, index) => `name: u${index}, uid: ${index + 1}`),
  );
  const text = changes(users("name: u0, uid: 1"), after)!;
  assertEquals(text.split(", ").length, 33);
  assertEquals(text.split(", ").at(-1), "7 more");
});
