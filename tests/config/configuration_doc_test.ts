/** `docs/configuration.md` says of every key what the program does. */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { DEFAULT_PORT, SYSTEM_CONFIG } from "../../lib/config/default_paths.ts";
import { DIRECTORY_KEYS } from "../../lib/config/directory.ts";
import { GROUP_KEYS } from "../../lib/config/groups.ts";
import { COUNT_BOUNDS, COUNT_KEYS, DURATION_KEYS, LIMIT_KEYS } from "../../lib/config/limits.ts";
import { KEY_KEYS } from "../../lib/config/listener_keys.ts";
import { LISTENER_KEYS } from "../../lib/config/listeners.ts";
import { LOG_KEYS } from "../../lib/config/log.ts";
import { MAX_DURATION_MS } from "../../lib/config/reader.ts";
import { MAX_CONFIG_BYTES, parseConfig, ROOT_KEYS } from "../../lib/config/schema.ts";
import { DEFAULT_SERVICE, RUN_AS_WORDS, SERVICE_KEYS } from "../../lib/config/services.ts";
import {
  DEFAULT_DIRECTORY,
  DEFAULT_FORWARD_IDENTITY,
  DEFAULT_LIMITS,
  DEFAULT_LOG,
  DEFAULT_RUN_AS,
  DEFAULT_SANDBOX,
  DEFAULT_SOCKET_MODE,
  DEFAULT_WORKERS,
  FORWARD_IDENTITIES,
  LOG_FORMATS,
  LOG_LEVELS,
  SANDBOX_MODES,
} from "../../lib/config/types.ts";
import { USER_KEYS } from "../../lib/config/users.ts";
import { WORKER_BOUNDS } from "../../lib/config/worker_bounds.ts";
import { Failure } from "../../lib/errors.ts";
import { octalMode } from "../../lib/files/permissions.ts";
import { UNIX_PATH_MAX } from "../../lib/libc/constants.ts";
import { MAX_ID } from "../../lib/policy/id.ts";
import { assertSameReading } from "../support/yaml_reading.ts";

const DOCUMENT = Deno.readTextFileSync(new URL("../../docs/configuration.md", import.meta.url));
const NAMES = { overflowUid: 65534 };

/** A row of a table of keys. */
interface Row {
  readonly key: string;
  readonly type: string;
  readonly byDefault: string;
  readonly meaning: string;
}

/** The tables of keys, by the headings they stand under. */
function tables(): Map<string, readonly Row[]> {
  const found = new Map<string, Row[]>();
  for (const section of DOCUMENT.split(/^## /m).slice(1)) {
    const [heading, ...lines] = section.split("\n");
    const start = lines.findIndex((line) => line.startsWith("| key |"));
    if (start < 0) continue;
    const rows: Row[] = [];
    for (const line of lines.slice(start + 2)) {
      if (!line.startsWith("|")) break;
      const cells = line.split("|").slice(1, -1).map((cell) => cell.trim());
      const [key = "", type = "", byDefault = "", meaning = ""] = cells;
      rows.push({ key: key.replaceAll("`", ""), type, byDefault, meaning });
    }
    found.set(heading!.replaceAll("`", ""), rows);
  }
  return found;
}

/** A mapping of the file: its keys, and a file in which one of them has a value. */
interface Mapping {
  readonly keys: readonly string[];
  /** What stands at the key in a message. */
  readonly path: string;
  file(key: string, value: string): string;
}

const BOB = "users: [{ name: bob, uid: 579 }]\n";

/** A flow mapping in which a key has a value, beside other keys that it needs. */
function mapping(key: string, value: string, others: Readonly<Record<string, string>>): string {
  const pairs = Object.entries({ ...others, [key]: value }).map(([name, text]) =>
    `${name}: ${text}`
  );
  return `{ ${pairs.join(", ")} }`;
}

function listener(key: string, value: string): string {
  const others: Record<string, string> = key === "unix"
    ? {}
    : key === "tcp"
    ? { keys: "[{ file: /k }]" }
    : key === "keys"
    ? { tcp: '"127.0.0.1:1"' }
    : { unix: "/run/a" };
  return mapping(key, value, others);
}

function service(key: string, value: string): string {
  const others: Record<string, string> = ["identity", "backend_user"].includes(key)
    ? { forward: '"unix:/b"' }
    : key === "run_as"
    ? { exec: "[/b]" }
    : {};
  return mapping(key, value, others);
}

const MAPPINGS: Readonly<Record<string, Mapping>> = {
  "The whole file": { keys: ROOT_KEYS, path: "", file: (key, value) => `${key}: ${value}\n` },
  "listeners[]": {
    keys: LISTENER_KEYS,
    path: "listeners[0].",
    file: (key, value) => `${BOB}listeners: [${listener(key, value)}]\n`,
  },
  "listeners[].keys[]": {
    keys: KEY_KEYS,
    path: "listeners[0].keys[0].",
    file: (key, value) => {
      const entry = mapping(key, value, key === "dir" ? {} : { file: "/k" });
      return `${BOB}listeners: [{ tcp: "127.0.0.1:1", keys: [${entry}] }]\n`;
    },
  },
  "listeners[].service": {
    keys: SERVICE_KEYS,
    path: "listeners[0].service.",
    file: (key, value) => `${BOB}listeners: [{ unix: /a, service: ${service(key, value)} }]\n`,
  },
  "users[]": {
    keys: USER_KEYS,
    path: "users[0].",
    file: (key, value) => {
      // Uid 0 has one name.
      const name = key === "uid" && value === "0" ? "root" : "bob";
      return `users: [${mapping(key, value, { name, uid: "579" })}]\n`;
    },
  },
  "groups[]": {
    keys: GROUP_KEYS,
    path: "groups[0].",
    file: (key, value) => `groups: [${mapping(key, value, { name: "netops", gid: "5" })}]\n`,
  },
  "limits": {
    keys: LIMIT_KEYS,
    path: "limits.",
    file: (key, value) => `limits: { ${key}: ${value} }\n`,
  },
  "directory": {
    keys: DIRECTORY_KEYS,
    path: "directory.",
    file: (key, value) => `directory: { ${key}: ${value} }\n`,
  },
  "log": { keys: LOG_KEYS, path: "log.", file: (key, value) => `log: { ${key}: ${value} }\n` },
};

/** Values that a type has, and values that it does not have. Those of a list depend on the key. */
const SAMPLES: Readonly<Record<string, { good: readonly string[]; bad: readonly string[] }>> = {
  name: {
    good: ["bob"],
    bad: ['"12"', "a b", '"@a"', '"-a"', '"a:b"', '"a/b"', "a..b", "$(a)", "5", "[]"],
  },
  group: {
    good: ["netops", "domain users", "CORP\\domain users"],
    bad: ['"12"', '"a  b"', '"a "', '"@a"', '"a:b"', "a/b", "a$(b)", "5", "[]"],
  },
  path: { good: ["/a/b"], bad: ["a/b", '""', "5", "[]", '"/a\\0"'] },
  id: {
    good: ["7", "0", String(MAX_ID)],
    bad: [String(MAX_ID + 1), "-1", '"7"', "0x7", "07", "x", "1.5"],
  },
  flag: { good: ["true", "false"], bad: ["yes", '"true"', "1", "[]"] },
  count: {
    good: [String(COUNT_BOUNDS.min), String(COUNT_BOUNDS.max)],
    bad: [String(COUNT_BOUNDS.min - 1), String(COUNT_BOUNDS.max + 1), '"5"', "1.5", "x"],
  },
  threads: {
    good: [String(WORKER_BOUNDS.min), String(WORKER_BOUNDS.max)],
    bad: [String(WORKER_BOUNDS.min - 1), String(WORKER_BOUNDS.max + 1), "1000", '"2"', "1.5", "[]"],
  },
  duration: {
    good: ["1ms", "5s", "2m", "596h", `${Math.floor(MAX_DURATION_MS / 1_000)}s`],
    bad: [
      `${Math.ceil(MAX_DURATION_MS / 1_000)}s`,
      "5",
      '"5 s"',
      "1.5s",
      "-1s",
      "1234567890ms",
      "[]",
    ],
  },
  time: {
    good: ["2027-06-30T00:00:00Z", "2027-06-30T00:00:00.123+02:00"],
    bad: ["2027-06-30", "2027-02-30T00:00:00Z", "2027-06-30T00:00:00", "5"],
  },
  address: {
    good: ['"127.0.0.1:1"', "localhost:65535", '"[::1]:80"'],
    bad: ["127.0.0.1", '"127.0.0.1:0"', '"a:65536"', '"::1:80"', "5"],
  },
  target: {
    good: ['"unix:/b"', '"tcp:localhost:80"'],
    bad: ["/b", '"unix:b"', '"tcp:localhost"', "5"],
  },
  mode: { good: ['"0660"', '"666"'], bad: ["0660", "432", '"4755"', '"66"'] },
  service: { good: ["console", '{ forward: "unix:/b" }', "{ exec: [/b] }"], bad: ["shell", "[]"] },
  mapping: { good: ["{}"], bad: ["[]", "word", "5"] },
};

const LISTS: Readonly<Record<string, string>> = {
  listeners: "[{ unix: /a }]",
  users: "[{ name: bob, uid: 579 }]",
  groups: "[{ name: netops }]",
  keys: "[{ file: /k }]",
  allow: '[bob, "@netops"]',
  exec: "[/b, 007, --c]",
};

/** The choices of a row, in the order of the document. */
const CHOICES: Readonly<Record<string, readonly string[]>> = {
  "listeners[].service.identity": FORWARD_IDENTITIES,
  "listeners[].service.run_as": RUN_AS_WORDS,
  "log.level": LOG_LEVELS,
  "sandbox": SANDBOX_MODES,
  "log.format": LOG_FORMATS,
};

function duration(milliseconds: number): string {
  return milliseconds % 1_000 === 0 ? `${milliseconds / 1_000}s` : `${milliseconds}ms`;
}

/** The defaults that are values of their own; in the others no constant stands. */
function defaults(): Map<string, string> {
  const limits: [string, string][] = [
    ...Object.entries(COUNT_KEYS).map(([key, field]): [string, string] => [
      key,
      String(DEFAULT_LIMITS[field]),
    ]),
    ...Object.entries(DURATION_KEYS).map(([key, field]): [string, string] => [
      key,
      duration(DEFAULT_LIMITS[field]),
    ]),
  ];
  return new Map([
    ["sandbox", DEFAULT_SANDBOX],
    ["listeners[].mode", `"${octalMode(DEFAULT_SOCKET_MODE)}"`],
    ["listeners[].service", DEFAULT_SERVICE.kind],
    ["listeners[].service.identity", DEFAULT_FORWARD_IDENTITY],
    ["listeners[].service.run_as", DEFAULT_RUN_AS],
    ["users[].local_ipc_access", "false"],
    ["users[].admin", "false"],
    ["groups[].local_ipc_access", "false"],
    ...limits.map(([key, value]): [string, string] => [`limits.${key}`, value]),
    ["log.level", DEFAULT_LOG.level],
    ["workers", String(DEFAULT_WORKERS)],
    ["directory.refresh", duration(DEFAULT_DIRECTORY.refresh)],
  ]);
}

const TABLES = tables();

Deno.test("the document has a table for each mapping of the file, and no other", () => {
  assertEquals([...TABLES.keys()].toSorted(), Object.keys(MAPPINGS).toSorted());
});

for (const [heading, { keys, path, file }] of Object.entries(MAPPINGS)) {
  const rows = TABLES.get(heading) ?? [];
  const prefix = heading === "The whole file" ? "" : `${heading}.`;

  Deno.test(`${heading}: the document has the keys of the program`, () => {
    assertEquals(rows.map(({ key }) => key), [...keys]);
  });

  Deno.test(`${heading}: the document has the defaults of the program`, () => {
    const documented = rows.filter(({ byDefault }) => byDefault.startsWith("`"))
      .map(({ key, byDefault }) => [prefix + key, byDefault.replaceAll("`", "")]);
    const own = rows.map(({ key }) => prefix + key).filter((key) => defaults().has(key))
      .map((key) => [key, defaults().get(key)!]);
    assertEquals(documented, own);
  });

  for (const { key, type, meaning } of rows) {
    const accepts = (value: string) => parseConfig(file(key, value), "/c.yaml", NAMES);
    const refuses = (value: string) => {
      const failure = assertThrows(() => accepts(value), Failure, undefined, `${key}: ${value}`);
      assertStringIncludes(failure.message, `${path}${key}`);
    };

    Deno.test(`${prefix}${key} is a ${type}, as the document says`, () => {
      if (type === "list") {
        accepts(LISTS[key]!);
        ["word", "{ a: 1 }"].forEach(refuses);
      } else if (type === "choice") {
        const words = CHOICES[prefix + key]!;
        assert(meaning.startsWith("`"), meaning);
        const documented = [...meaning.split(/[:]|the name/)[0]!.matchAll(/`([^`]+)`/g)];
        const first = documented.map((match) => match[1]).slice(0, words.length);
        assertEquals(first, [...words]);
        words.forEach(accepts);
        ["xyz", "5", "[]"].forEach(refuses);
      } else {
        const samples = SAMPLES[type];
        if (samples === undefined) throw new Error(`the type ${type} has no samples`);
        samples.good.forEach(accepts);
        samples.bad.forEach(refuses);
      }
    });
  }
}

Deno.test("the document explains each type that a table names", () => {
  const explained = [...DOCUMENT.matchAll(/^\| ([a-z]+) \| /gm)].map((match) => match[1]!);
  for (const rows of TABLES.values()) {
    for (const { type, meaning } of rows) {
      // These two are explained where they stand.
      if (type !== "mode" && type !== "service") {
        assert(explained.includes(type), `${type}: ${meaning}`);
      }
    }
  }
});

Deno.test("the document has the bounds of the program", () => {
  const [min, max] = [COUNT_BOUNDS.min, COUNT_BOUNDS.max].map((count) =>
    count.toLocaleString("en")
  );
  const counts = TABLES.get("limits")!.filter(({ type }) => type === "count");
  assertEquals(counts.map(({ key }) => key), Object.keys(COUNT_KEYS));
  counts.forEach(({ meaning }) => assertStringIncludes(meaning, `${min} to ${max}`));
  for (
    const bound of [
      `0 to ${MAX_ID}`,
      `at most ${MAX_DURATION_MS} ms`,
      `at most ${UNIX_PATH_MAX - 1} bytes`,
      `at most ${MAX_CONFIG_BYTES >> 20} MiB`,
      `\`${SYSTEM_CONFIG}\``,
    ]
  ) assertStringIncludes(DOCUMENT, bound);
});

Deno.test("the document names the keys that may have no value", () => {
  const accepts = (text: string) => parseConfig(text, "/c.yaml", NAMES);
  const empty = accepts("users:\ngroups:\nlisteners: [{ unix: /a, service: , allow: [] }]\n");
  const [listener] = empty.listeners!;
  assertEquals([listener?.service, listener?.allow?.users.size], [DEFAULT_SERVICE, 0]);
  for (const key of ["listeners", "limits", "log"]) {
    assertThrows(() => accepts(`${key}:\n`), Failure, `: ${key}: `);
  }
});

Deno.test("limits.handshake_timeout is not 0, as the document says", () => {
  assertThrows(() => parseConfig("limits: { handshake_timeout: 0s }", "/c.yaml", NAMES), Failure);
  for (const key of ["idle_timeout", "grace"]) {
    parseConfig(`limits: { ${key}: 0s }`, "/c.yaml", NAMES);
  }
});

Deno.test("every block of YAML in the document is a configuration, for @std/yaml as well", () => {
  const blocks = [...DOCUMENT.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map((match) => match[1]!);
  assert(blocks.length > 0);
  for (const block of blocks) {
    assertSameReading(block, parseConfig(block, "docs/configuration.md", NAMES));
  }
  assertStringIncludes(blocks[0]!, `:${DEFAULT_PORT}`);
});
