/** The JSON Schema and the reader say the same of a configuration. */
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl, join, relative } from "@std/path";
import { parse } from "@std/yaml";
import { Ajv2020 } from "ajv/2020";
import fc from "fast-check";
import { jsonSchema } from "../../lib/config/json_schema.ts";
import { inspectConfig } from "../../lib/config/schema.ts";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));
const CORPUS = join(ROOT, "tests/config");
const GENERATED = "docs/config.schema.json";
/** How a bad file begins of which a schema cannot say that it is bad. */
const READER_ALONE = /^# The reader alone: [^\n]+\.\n/;

const validate = new Ajv2020({ strict: false, allErrors: true }).compile(jsonSchema());

/** What the reader says; empty for a good file. */
function problemsOf(text: string): readonly string[] {
  return inspectConfig(text, "/c.yaml", { overflowUid: 65534 }).problems
    .map(({ key, what }) => `${key}: ${what}`);
}

/** A file as an editor sees it. */
function valueOf(text: string): unknown {
  return parse(text, { schema: "core" });
}

/** What the schema says of a value; empty for a good one. */
function refusals(value: unknown): readonly string[] {
  validate(value);
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

function* yamlFiles(directory: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(directory)) {
    const path = join(directory, name);
    if (isDirectory) yield* yamlFiles(path);
    else if (name.endsWith(".yaml")) yield path;
  }
}

const good = [...yamlFiles(join(CORPUS, "good")), ...yamlFiles(join(ROOT, "examples"))].toSorted();
const bad = [...yamlFiles(join(CORPUS, "bad"))].toSorted();

Deno.test("the reader and the schema take every good file", () => {
  assert(good.length > 5);
  for (const path of good) {
    const text = Deno.readTextFileSync(path);
    assertEquals([problemsOf(text), refusals(valueOf(text))], [[], []], path);
  }
});

Deno.test("the reader and the schema refuse every bad file, or it says why the schema does not", () => {
  assert(bad.length > 50);
  for (const path of bad) {
    const text = Deno.readTextFileSync(path);
    assert(problemsOf(text).length > 0, `${path}: the reader takes it`);
    if (READER_ALONE.test(text)) continue;
    assert(refusals(valueOf(text)).length > 0, `${path}: the schema takes it`);
  }
});

Deno.test(`${GENERATED} is what the program prints`, () => {
  assertEquals(
    Deno.readTextFileSync(join(ROOT, GENERATED)),
    `${JSON.stringify(jsonSchema(), null, 2)}\n`,
    `ipcauth config schema > ${GENERATED}`,
  );
});

Deno.test("the head of every example names the schema, by a path that leads to it", () => {
  for (const path of yamlFiles(join(ROOT, "examples"))) {
    const [first] = Deno.readTextFileSync(path).split("\n");
    const [, named] = /^# yaml-language-server: \$schema=(\S+)$/.exec(first!) ?? [];
    assertEquals(named && relative(ROOT, join(path, "..", named)), GENERATED, path);
  }
});

Deno.test("the schema explains every key", () => {
  const walk = (schema: unknown, path: string): void => {
    if (typeof schema !== "object" || schema === null) return;
    for (const [name, value] of Object.entries(schema)) walk(value, `${path}.${name}`);
    const { properties, type } = schema as { properties?: Record<string, unknown>; type?: unknown };
    if (type !== "object" || properties === undefined) return;
    for (const [name, value] of Object.entries(properties)) {
      const { description, type: of } = value as { description?: unknown; type?: unknown };
      assert(typeof description === "string" || of === "object", `${path}.${name}`);
    }
  };
  walk(jsonSchema(), "");
});

/** Values that are good where they stand and, at times, near misses of them. */
function usually<T, U>(good: readonly T[], misses: readonly U[]): fc.Arbitrary<T | U> {
  return fc.oneof(
    { weight: 40, arbitrary: fc.constantFrom(...good) },
    { weight: 1, arbitrary: fc.constantFrom(...misses) },
  );
}

const name = usually(["bob", "alice", "eve", "CORP\\eve"], ["12", "", "a b", "@x", "-a", "a..b"]);
const id = usually([1, 2, 3, 4, 5, 6, 7, 2 ** 32 - 2], [-1, 2 ** 32 - 1, 0.5, "5"]);
const path = usually(["/a", "/run/a.sock", "/..."], ["a", "/", "/a/", "/a/..", "@a", ""]);
const address = usually(
  ["h:1", "127.0.0.1:4569", "[::1]:9"],
  ["::1:9", "h", "h:0", "h:x", ":1"],
);
const time = usually(["1s", "500ms", "2h"], ["0s", "5", "-1s", 5, "1 s", "00m"]);
const other = fc.constantFrom(null, true, 0, "", "x", [], {}, ["x"]);

/** Mostly what is meant, and at times something else. */
function mostly<T>(value: fc.Arbitrary<T>): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 60, arbitrary: value }, { weight: 1, arbitrary: other });
}

/** A mapping, at times without a key that it needs, or with one that it does not have. */
function record(fields: Record<string, fc.Arbitrary<unknown>>, required: string[]) {
  /** @param weight How often it is there, of once that it is not. */
  const maybe = (value: fc.Arbitrary<unknown>, weight: number, without = 1) =>
    fc.oneof({ weight, arbitrary: mostly(value) }, {
      weight: without,
      arbitrary: fc.constant(undefined),
    });
  const all = Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [
      key,
      maybe(value, required.includes(key) ? 30 : 1),
    ]),
  );
  const optional = { ...all, stray: maybe(fc.constant(1), 1, 80) };
  // A key without a value is one that is not there.
  return fc.record(optional).map((value) => JSON.parse(JSON.stringify(value)));
}

const flag = fc.boolean();
const user = record({ name, uid: id, gid: id, local_ipc_access: flag, admin: flag }, [
  "name",
  "uid",
]);
const group = record({ name, gid: id, local_ipc_access: flag }, ["name"]);
const service = fc.oneof(
  usually(["console", "metrics"], ["shell"]),
  record({
    forward: fc.oneof(path.map((one) => `unix:${one}`), address.map((one) => `tcp:${one}`)),
    identity: usually(["none", "proxy-v2", "impersonate"], ["proxy"]),
    backend_user: name,
  }, ["forward"]),
  record({
    exec: fc.tuple(path, usually([5, true, "x"], [null, []])),
    run_as: fc.constantFrom("server", "peer", "bob"),
  }, ["exec"]),
  record({ forward: fc.constant("unix:/b"), exec: fc.constant(["/b"]) }, ["exec"]),
);
const key = record({
  file: path,
  user: fc.constantFrom("bob", "eve"),
  not_after: usually(["2027-06-30T00:00:00Z", "2027-06-30T00:00:00+02:00"], ["2027-06-30"]),
}, ["file"]);
const allow = fc.array(usually(["bob", "@x"], ["", 5]), { maxLength: 2 });
const mode = usually(["0666", "666"], ["4755", "0o666", 666]);
const listener = fc.oneof(
  record({ unix: path, mode, allow, service }, ["unix"]),
  record({ tcp: address, keys: fc.array(key, { maxLength: 2 }), allow, service }, ["tcp", "keys"]),
  record({ unix: path, tcp: address, keys: fc.array(key, { maxLength: 1 }), mode }, ["unix"]),
);
const count = usually([1, 5, 1_000_000], [0, 1_000_001, "5", 1.5]);
const file = record({
  listeners: fc.array(listener, { maxLength: 2 }),
  users: fc.array(user, { maxLength: 3 }),
  groups: fc.array(group, { maxLength: 2 }),
  limits: record({
    max_connections: count,
    max_connections_per_user: count,
    max_pending_handshakes: count,
    handshake_timeout: time,
    idle_timeout: time,
    grace: time,
  }, []),
  log: record({
    level: usually(["debug", "info"], ["loud"]),
    format: usually(["text", "json"], ["xml"]),
    file: path,
  }, []),
  directory: record({ refresh: time }, []),
}, []);

/** Problems that a schema cannot see. */
const UNSEEN =
  /stands (?:already|here)|there is no user|is listened on|looks like|uid 0|root belongs|overflow|stands in line/;

Deno.test("of generated files, both take and both refuse the same", () => {
  let taken = 0;
  const property = fc.property(file, (value) => {
    // JSON is YAML.
    const problems = problemsOf(JSON.stringify(value));
    const errors = refusals(value);
    if (problems.length === 0) taken++;
    if (problems.every((one) => UNSEEN.test(one))) assertEquals(errors, []);
    else assert(errors.length > 0, problems.join("\n"));
  });
  fc.assert(property, { numRuns: 3_000, seed: 1 });
  assert(taken > 300, `${taken} of them are good`);
});
