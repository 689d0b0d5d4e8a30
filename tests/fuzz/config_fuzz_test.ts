/** Configurations that are almost good: read whole, or refused with the places. */
import { assert, assertEquals } from "@std/assert";
import { parseConfig } from "../../lib/config/schema.ts";
import { ExitCode, Failure } from "../../lib/errors.ts";
import { reportLine } from "../../lib/text/report.ts";
import { anyText, fc, forAny, mutated, UNSAFE, utf8 } from "./fuzz.ts";

const PATH = "/etc/ipcauth/config.yaml";

/** A configuration with every kind of listener, service and section. */
const GOOD = {
  listeners: [
    { unix: "/run/a", mode: "0660", allow: ["bob", "@ops"], service: "console" },
    {
      tcp: "127.0.0.1:7000",
      keys: [{ file: "/k", user: "bob", not_after: "2030-01-01T00:00:00Z" }, { dir: "/keys.d" }],
      service: { forward: "tcp:localhost:80", identity: "proxy-v2" },
    },
    { unix: "/run/b", service: { exec: ["/bin/id", "-u", 5], run_as: "bob" } },
    { unix: "/run/c", service: { forward: "unix:/run/d", identity: "impersonate" } },
  ],
  users: [
    { name: "bob", uid: 579, gid: 579, local_ipc_access: true, admin: false },
    { name: "root", uid: 0, local_ipc_access: true },
  ],
  groups: [{ name: "ops", gid: 2000, local_ipc_access: true }],
  limits: {
    max_connections: 5,
    max_connections_per_user: 2,
    handshake_timeout: "5s",
    grace: "1500ms",
  },
  log: { level: "info", format: "json", file: "/var/log/a" },
  directory: { refresh: "30s" },
  workers: 2,
  sandbox: "auto",
};

const anyValue = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom<unknown>(...Object.values(GOOD), "bob", "@ops", "0s") },
  { weight: 3, arbitrary: fc.constantFrom<unknown>(null, true, 0, -1, 1e21, 0.1, 2 ** 32, "", []) },
  { weight: 2, arbitrary: anyText },
  fc.json({ maxDepth: 3 }).map((text) => JSON.parse(text) as unknown),
);
const change = fc.record({
  path: fc.array(fc.nat(30), { maxLength: 5 }),
  kind: fc.constantFrom("set", "set", "remove", "rename", "repeat"),
  by: anyValue,
});
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

/** A value with a change at one place. */
function changed(value: unknown, { path: [at, ...path], kind, by }: Change): unknown {
  if (at === undefined || typeof value !== "object" || value === null) {
    return kind === "repeat" ? [value, value] : kind === "remove" ? null : by;
  }
  const entries = Object.entries(value);
  const place = at % (entries.length + 1);
  const [name, member] = entries[place] ?? ["more", null];
  const isHere = path.length === 0;
  const next = isHere ? by : changed(member, { path, kind, by });
  if (isHere && kind === "remove") entries.splice(place, 1);
  else if (isHere && kind === "rename") {
    entries[place] = [`${name}${String(by).slice(0, 9)}`, member];
  } else entries[place] = [name, next];
  if (Array.isArray(value)) return entries.map(([, member]) => member);
  return Object.fromEntries(entries);
}

const nearly = fc.array(change, { maxLength: 3 }).map((changes) =>
  JSON.stringify(changes.reduce<unknown>(changed, GOOD), null, 1)
);
const almostYaml = mutated([
  utf8(JSON.stringify(GOOD)),
  utf8("users:\n  - { name: bob, uid: 579 } # a\n  - name: eve\n    uid: 5\nlog: {level: warn}\n"),
  utf8('listeners:\n- unix: /a\n  service: {exec: [/b, >-\n    c, "d\\x41", |\n e]}\n'),
]).map((bytes) => new TextDecoder().decode(bytes));

Deno.test("fuzz: a configuration is read, or refused with the places", () => {
  const seen = { read: 0, refused: 0 };
  parseConfig(JSON.stringify(GOOD), PATH, { overflowUid: 65_534 });
  forAny(fc.oneof({ weight: 3, arbitrary: nearly }, almostYaml), (text) => {
    try {
      const { access } = parseConfig(text, PATH, { overflowUid: 65_534 });
      seen.read++;
      for (const { name, uid } of access.users) {
        assert(uid !== 0 || name === "root", `${name} is root`);
        assert(uid !== 65_534 && Number.isInteger(uid) && uid >= 0, `${name} has uid ${uid}`);
      }
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      seen.refused++;
      assertEquals(error.exit, ExitCode.config);
      const { text: shown } = reportLine(error, false);
      for (const line of shown.split("\n")) {
        assert(!UNSAFE.test(line), JSON.stringify(line));
      }
      assert(/^\S+:[0-9]+:[0-9]+: \S/m.test(error.message), error.message);
    }
  }, 0.2);
  assert(Math.min(seen.read, seen.refused) > 50, JSON.stringify(seen));
});
